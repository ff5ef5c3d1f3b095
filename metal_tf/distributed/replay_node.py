"""The replay server's node: Launchpad's own, tied to its run."""

import time
from typing import Callable, Optional, Sequence

from absl import logging
import launchpad as lp
from launchpad import address as lp_address
from launchpad.nodes.courier import node as courier_node
import reverb

from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.system import loopback
from metal_tf.system import process

NAME = 'replay'

# Between attempts to take the port, in seconds.
_PAUSES = (1.0, 2.0, 4.0)


def start_server(
    port: int, make_tables: Callable[[], Sequence[reverb.Table]],
    make_checkpointer: Callable[[], reverb.checkpointers.CheckpointerBase]
) -> reverb.Server:
  """Starts a server, on a port that may not be free for a moment.

  Launchpad finds an unused port and lets it go: another program that looks for
  one, or a connection, may hold it when the server starts.

  Args:
    port: where to listen.
    make_tables: makes its tables.
    make_checkpointer: makes what it starts with, and saves with.

  Returns:
    The server.

  Raises:
    ValueError: the port is still taken after some seconds.
  """
  def start() -> reverb.Server:
    return reverb.Server(tables=make_tables(), port=port,
                         checkpointer=make_checkpointer())

  for seconds in _PAUSES:
    try:
      return start()
    except ValueError as error:  # gRPC logs the reason and does not give it.
      logging.warning('No replay server on port %d yet (%s).', port, error)
      time.sleep(seconds)
  return start()


class ReplayNode(lp.ReverbNode):
  """A Reverb server that stays until the learner's last checkpoint is written.

  Launchpad's node ends with the first SIGTERM that reaches it.
  """

  def __init__(self, make_tables: Callable[[], Sequence[reverb.Table]],
               coordinator: courier_node.CourierHandle, *,
               scratch_directory: str, saved_directory: Optional[str],
               loopback_only: bool):
    """Makes the node.

    Args:
      make_tables: makes the tables, in the server's process.
      coordinator: handle of it.
      scratch_directory: where the server writes when it is asked to save.
      saved_directory: what it starts with, as a server saved it; or None.
      loopback_only: whether all clients are on this machine.
    """
    super().__init__(make_tables, lambda: reverb.checkpointers.
                     DefaultCheckpointer(
                         scratch_directory,
                         fallback_checkpoint_path=saved_directory))
    self._coordinator = coordinator
    self._input_handles.append(coordinator)
    self._loopback_only = loopback_only

  def run(self) -> None:
    """Serves until the coordinator says that nobody needs it any more."""
    process.adopt()
    coordinator = self._coordinator.dereference()
    port = lp_address.get_port_from_address(self._address.resolve())
    server = start_server(port, self._priority_tables_fn,
                          self._checkpoint_ctor)
    if self._loopback_only:
      loopback.restrict_to_loopback(port)
    leash = leash_lib.Leash(
        coordinator, NAME, coordinator_lib.Phase.STOP_SERVING)
    leash.doing = 'serving'
    while not leash.wait(1.0):
      pass
    server.stop()
    # The server gives its port back when it is deleted; at the interpreter's
    # exit it would be too late for that.
    del server
    leash.close()
    process.leave()
