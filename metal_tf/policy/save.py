"""Writes a policy as a SavedModel with its description."""

import contextlib
import json
import os
import shutil
import sys
from typing import Any, Callable, Iterator, Mapping

import tensorflow as tf

from metal_tf.policy import description as description_lib
from metal_tf.runs import manifest


def save(directory: str, network: Callable[[tf.Tensor], tf.Tensor],
         content: Mapping[str, Any], tflite: bool = False) -> None:
  """Writes an export, complete or not at all; one that is there is replaced.

  Args:
    directory: of the export; the folder above it is made if need be.
    network: a tf.Module, observations `[B, O]` to actions `[B, A]`.
    content: for `policy.json`; has the observation's size.
    tflite: whether to write the network for TensorFlow Lite as well.

  Raises:
    PolicyError: if something else than an export is in that place.
    OSError: if it cannot be written.
  """
  directory = os.path.abspath(directory)
  # Names that nobody else gives to anything: they are deleted unseen.
  parent, name = os.path.split(directory)
  temporary, replaced = (os.path.join(parent, f'.{name}.{state}')
                         for state in ('incomplete', 'replaced'))
  if os.path.isdir(replaced) and not os.path.lexists(directory):
    os.rename(replaced, directory)  # A program was killed between two renames.
  _check_place(directory)
  shutil.rmtree(temporary, ignore_errors=True)
  shutil.rmtree(replaced, ignore_errors=True)
  os.makedirs(temporary)
  try:
    _write_model(temporary, network, content['observation']['size'])
    if tflite:
      _write_tflite(temporary, network, content['observation']['size'])
    with open(os.path.join(temporary, description_lib.NAME), 'w',
              encoding='utf-8') as stream:
      json.dump({'format': description_lib.FORMAT, **content}, stream, indent=2)
    manifest.seal(temporary, {})
    if os.path.isdir(directory):
      os.rename(directory, replaced)
    os.rename(temporary, directory)
    manifest.sync_folder(os.path.dirname(directory))
  finally:
    shutil.rmtree(temporary, ignore_errors=True)
  shutil.rmtree(replaced, ignore_errors=True)


def _check_place(directory: str) -> None:
  """Raises PolicyError for anything but an export or an empty folder."""
  if not os.path.lexists(directory) or description_lib.is_policy(directory):
    return
  if not os.path.isdir(directory) or os.listdir(directory):
    raise description_lib.PolicyError(
        f'{directory} is there already and is no exported policy; choose '
        'another place.')


def _write_model(directory: str, network: Callable[[tf.Tensor], tf.Tensor],
                 observation_size: int) -> None:
  """Writes the SavedModel; what TensorFlow cannot write is an OSError."""
  module = tf.Module()
  module.network = network
  # Nothing for AutoGraph to convert.
  module.act = tf.function(network, autograph=False, input_signature=[
      tf.TensorSpec([None, observation_size], tf.float32, 'observation')])
  signature = tf.function(
      lambda observation: {'action': module.act(observation)}, autograph=False,
      input_signature=module.act.input_signature)
  try:
    with _without_generated_files():
      tf.saved_model.save(module, directory, signatures=signature)
  except tf.errors.OpError as error:  # For instance a full disk.
    raise OSError(error.message) from error


def _write_tflite(directory: str, network: Callable[[tf.Tensor], tf.Tensor],
                  observation_size: int) -> None:
  """Writes the network for one observation, `[1, O]` to `[1, A]`.

  A fixed size, so that a controller allocates its memory once.
  """
  function = tf.function(network, autograph=False, input_signature=[
      tf.TensorSpec([1, observation_size], tf.float32, 'observation')])
  with _without_generated_files():
    converted = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], network).convert()
  with open(os.path.join(directory, description_lib.TFLITE), 'wb') as stream:
    stream.write(converted)


@contextlib.contextmanager
def _without_generated_files() -> Iterator[None]:
  """Removes what AutoGraph writes into the system's temporary folder.

  It converts a function of TensorFlow's own for each signature, whatever one
  asks for, and removes its files at the interpreter's end, which a worker
  process leaves out.
  """
  before = set(sys.modules)
  try:
    yield
  finally:
    for name in set(sys.modules) - before:
      if name.startswith('__autograph_generated_file'):
        with contextlib.suppress(OSError):
          os.remove(sys.modules[name].__file__ or '')
