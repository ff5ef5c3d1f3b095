"""MetaL's launcher until its first learner step, and no further."""

import os
from typing import Any

from metal_tf.agent import agents
from metal_tf.cli import main
from metal_tf.system import threads


def launch() -> None:
  """Runs the launcher with this command line; status 0 after the step."""
  main.quiet_start_up()
  threads.set_up(0)
  from metal_tf.agent import learner
  steps = learner.Learner.steps

  def first(*args: Any) -> None:
    steps(*args)
    os._exit(0)

  learner.Learner.steps = first  # type: ignore
  main.launch(agents.METAL)


if __name__ == '__main__':
  launch()
