"""The programs, and what they share."""

import os

# Read when numpy is first imported. Actors multiply a matrix by a vector, and
# OpenBLAS's second thread makes that slower.
os.environ.setdefault('OPENBLAS_NUM_THREADS', '1')
