"""An environment of dm_control's composer, for tests."""

from typing import Any, Dict

from dm_control import composer
from dm_control.composer.observation import observable
import numpy as np


def endless_pendulum() -> composer.Environment:
  """A pendulum that starts at a random angle; its episodes never end."""
  return composer.Environment(_Pendulum())


class _Pendulum(composer.Task):

  def __init__(self) -> None:
    self._arena = composer.Arena()
    pole = self._arena.mjcf_model.worldbody.add('body', name='pole')
    pole.add('geom', type='capsule', size=[0.05, 0.3], mass=1)
    self._hinge = pole.add('joint', type='hinge', axis=[0, 1, 0])
    self._arena.mjcf_model.actuator.add(
        'motor', joint=self._hinge, ctrllimited=True, ctrlrange=[-1, 1])
    self._angle = observable.MJCFFeature('qpos', self._hinge)
    self._angle.enabled = True

  @property
  def root_entity(self) -> composer.Entity:
    return self._arena

  @property
  def task_observables(self) -> Dict[str, observable.Observable]:
    return {'angle': self._angle}

  def initialize_episode(self, physics: Any,
                         random_state: np.random.RandomState) -> None:
    physics.bind(self._hinge).qpos = random_state.uniform(-1, 1)

  def get_reward(self, physics: Any) -> float:
    return 0.0
