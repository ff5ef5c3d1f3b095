"""`policy.json`: what a user has to know of an exported policy."""

import json
import os
from typing import Any, Dict

from metal_tf.runs import manifest

FORMAT = 1  # Raised when an older program could no longer use the files.
NAME = 'policy.json'
TFLITE = 'policy.tflite'


class PolicyError(Exception):
  """A folder is no policy that can be used; the message says why."""


def is_policy(directory: str) -> bool:
  """Whether a folder looks like an exported policy."""
  return os.path.isfile(os.path.join(directory, NAME))


def read(directory: str) -> Dict[str, Any]:
  """Reads the description of an exported policy, and verifies all its files.

  Args:
    directory: an export's.

  Returns:
    The content of `policy.json`.

  Raises:
    PolicyError: if it is none, is damaged, or a newer version wrote it.
  """
  if not is_policy(directory):
    raise PolicyError(
        f'{directory} is no exported policy: there is no {NAME} in it.')
  try:
    manifest.verify(directory)
  except (manifest.DamagedError, manifest.NewerFormatError) as error:
    raise PolicyError(f'the policy cannot be used: {error}.') from error
  with open(os.path.join(directory, NAME), encoding='utf-8') as stream:
    content = json.load(stream)
  if content['format'] > FORMAT:
    raise PolicyError(
        f'{directory} has format {content["format"]}, this version of metal_tf '
        f'reads formats up to {FORMAT}; use the version that wrote it.')
  return content
