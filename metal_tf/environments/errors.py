"""What an environment can do wrong, as exceptions that a runner can tell apart.

Two kinds, because they ask for two reactions:

* `EpisodeCut`: the simulator gave up on this episode (its state diverged). The
  environment is fine: a runner counts the event, drops the unfinished step and
  starts the next episode.
* `BadEnvironmentOutput`: the environment broke its contract (NaN, infinity or a
  wrong shape), or lost its files or its connection (an OSError). Nothing of
  that step may reach replay; a runner stops and shows the message, because a
  second episode would do the same.

Both carry their parts as attributes and survive pickling between processes.
After either of them the next `step()` of a `ConstrainedEnvironment` starts a
new episode, as dm_env has it after a last step.
"""


class EpisodeCut(RuntimeError):
  """The simulator's state diverged; this episode cannot go on.

  Attributes:
    environment: name of the environment.
    step: step of the episode that failed, 0 for the reset.
    reason: the simulator's own words.
  """

  def __init__(self, environment: str, step: int, reason: str):
    super().__init__(environment, step, reason)
    self.environment = environment
    self.step = step
    self.reason = reason

  def __str__(self) -> str:
    return (f'{self.environment}: the simulator gave up at step {self.step} of '
            f'the episode: {self.reason}')


class BadEnvironmentOutput(RuntimeError):
  """An environment delivered NaN, infinity or a wrong shape.

  Attributes:
    environment: name of the environment.
    field: what was wrong, e.g. "observation 'velocity'" or
      "penalty 'slider_pos'".
    step: step of the episode that failed, 0 for the reset.
    detail: what was expected and what was got.
  """

  def __init__(self, environment: str, field: str, step: int, detail: str):
    super().__init__(environment, field, step, detail)
    self.environment = environment
    self.field = field
    self.step = step
    self.detail = detail

  def __str__(self) -> str:
    return (f'{self.environment}: bad {self.field} at step {self.step} of the '
            f'episode: {self.detail}')


class NoPenalty(Exception):
  """A constraint cannot say the penalty of a step; the message says why.

  A `ConstrainedEnvironment` turns it into a `BadEnvironmentOutput`.
  """
