# The image of all workers on a cluster: the locked environment and the code.
# metal_tf/distributed/cluster.py builds it in a folder with both, and with
# Launchpad's process_entry.py and the workers themselves in job.pkl.
#
# An accelerator needs a base with Python 3.10 and TensorFlow 2.8's libraries,
# CUDA 11.2 and cuDNN 8.1; this one has none.
FROM python:3.10-slim-bookworm

ENV MUJOCO_GL=disable TF_CPP_MIN_LOG_LEVEL=2 KERAS_HOME=/dev/null \
    PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /metal_tf

# As tools/python_env.sh: first what builds the source packages.
COPY requirements.txt .
RUN awk '/^[^ #]/ { wanted = /^(packaging|pip|setuptools|wheel)==/ } wanted' \
      requirements.txt > installers.txt \
    && python -m pip install --require-hashes --no-deps -r installers.txt \
    && python -m pip install --require-hashes --no-deps --no-build-isolation \
      -r requirements.txt

COPY . .
ENTRYPOINT ["python", "-m", "process_entry", "--data_file=job.pkl"]
