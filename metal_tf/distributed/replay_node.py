"""The replay server's node: Launchpad's own, tied to its run."""

from typing import Callable, Optional, Sequence

import launchpad as lp
from launchpad import address as lp_address
from launchpad.nodes.courier import node as courier_node
import reverb

from metal_tf.distributed import coordinator as coordinator_lib
from metal_tf.distributed import leash as leash_lib
from metal_tf.system import loopback
from metal_tf.system import process

NAME = 'replay'


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
    server = reverb.Server(
        tables=self._priority_tables_fn(), port=port,
        checkpointer=self._checkpoint_ctor())
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
