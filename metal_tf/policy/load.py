"""Loads an exported policy; needs TensorFlow and numpy only."""

import os
from typing import Any, Dict, Union

import numpy as np
import tensorflow as tf

from metal_tf.policy import description as description_lib
from metal_tf.runs import workdir as workdir_lib


class Policy:
  """A policy without noise: one observation or a batch of them to actions.

  Attributes:
    description: the content of `policy.json`. Among it `observation` says in
      which order a dm_control observation is flattened, `action` has the
      bounds, `constraints` names and thresholds, `training` the summary.
    observation_size: O.
    action_size: A.
  """

  def __init__(self, model: Any, description: Dict[str, Any]):
    """Wraps a loaded model.

    Args:
      model: a SavedModel whose `act` takes `[B, O]` and returns `[B, A]`.
      description: of it.
    """
    self._model = model  # It owns the weights; its function alone does not.
    self.description = description
    self.observation_size = int(description['observation']['size'])
    self.action_size = int(description['action']['size'])

  def __call__(self, observation: Any) -> np.ndarray:
    """Chooses actions.

    Args:
      observation: numbers `[O]` or `[B, O]`, taken as float32.

    Returns:
      Actions float32 `[A]` or `[B, A]`.

    Raises:
      ValueError: for another shape.
    """
    batch = np.asarray(observation, np.float32)
    size = self.observation_size
    if batch.ndim not in (1, 2) or batch.shape[-1] != size:
      raise ValueError(f'observation: expected shape ({size},) or (batch, '
                       f'{size}), got {batch.shape}')
    actions = self._model.act(
        tf.constant(batch.reshape(-1, size))).numpy()
    return actions[0] if batch.ndim == 1 else actions


def load_policy(directory: Union[str, 'os.PathLike[str]']) -> Policy:
  """Loads what `metal_tf.export`, or a run at its end, has written.

  Args:
    directory: the export's, by default `<workdir>/export`.

  Returns:
    The policy, to be called with one observation or with a batch.

  Raises:
    PolicyError: if it is none, is damaged, or a newer version wrote it.
  """
  directory = workdir_lib.absolute(directory)
  content = description_lib.read(directory)
  return Policy(tf.saved_model.load(directory), content)
