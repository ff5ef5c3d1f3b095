"""What a worker process owes to the one that launched it, and how it ends."""

import ctypes
import os
import signal
import sys

# Set for worker processes only; threads and other machines know nothing of it.
PARENT_VARIABLE = 'METAL_TF_LAUNCHER_PID'
# Set by Vertex AI for each process of a cluster, for Launchpad to read.
_CLUSTER_VARIABLE = 'CLUSTER_SPEC'

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
  """Lets the kernel kill this process when its parent is gone, however it went.

  Args:
    parent: process id that the parent had when this process was started.
  """
  ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
  if os.getppid() != parent:  # It was gone before the kernel was told.
    sys.exit(1)


def adopt() -> None:
  """Settles this process into a local run; does nothing in a thread of one.

  A terminal sends Ctrl-C to all of its processes. Only the launcher hears it,
  so that the workers end in the coordinator's order and not all at once.
  """
  parent = os.environ.get(PARENT_VARIABLE)
  if parent is not None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(int(parent))


def leave() -> None:
  """Ends this process with status 0; does nothing in a thread of a run.

  A worker that is done has closed what it opened. The interpreter's own end
  would run the destructors of gRPC and TensorFlow under threads that still
  exist, and these abort now and then; a cluster takes that for a failure.
  """
  if PARENT_VARIABLE in os.environ or _CLUSTER_VARIABLE in os.environ:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
