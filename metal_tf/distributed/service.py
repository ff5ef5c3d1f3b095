"""A worker that others can call."""

import abc
from typing import Any

from metal_tf.system import loopback
from metal_tf.system import process


class Service(abc.ABC):
  """Serves its public methods through Courier while `_serve` runs.

  Courier listens on all addresses and has no option for it; on one machine the
  port is restricted to the loopback device before anything else happens.
  """

  def __init__(self, loopback_only: bool):
    """Prepares; `run` serves.

    Args:
      loopback_only: whether all callers are on this machine.
    """
    process.adopt()  # Launchpad makes the object where it runs.
    self._loopback_only = loopback_only
    self._server: Any = None  # Until Launchpad brings it.

  def set_courier_server(self, server: Any) -> None:
    """Takes over the server from Launchpad, which calls this."""
    self._server = server

  def run(self) -> None:
    """Serves until `_serve` returns."""
    self._server.Start()
    if self._loopback_only:
      loopback.restrict_to_loopback(self._server.port)
    try:
      self._serve()
    finally:
      self._server.Stop()
      self._server.Join()
    process.leave()

  @abc.abstractmethod
  def _serve(self) -> None:
    """The service's own work; the run is over for it when this returns."""
