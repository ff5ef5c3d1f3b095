"""A node whose process is started again when a signal kills it."""

import sys
from typing import Any, List, Sequence

import launchpad as lp
from launchpad import context as lp_context


class SupervisedNode(lp.PyClassNode):
  """As Launchpad's, with `supervisor` around it where it is a process."""

  @staticmethod
  def to_executables(nodes: Sequence['SupervisedNode'], label: str,
                     launch_context: lp_context.LaunchContext) -> List[Any]:
    executables = lp.PyClassNode.to_executables(nodes, label, launch_context)
    if launch_context.launch_type in (
        lp_context.LaunchType.LOCAL_MULTI_PROCESSING,
        lp_context.LaunchType.TEST_MULTI_PROCESSING):
      for command in executables:
        command.command_as_list[:0] = [
            sys.executable, '-m', 'metal_tf.distributed.supervisor']
    return executables
