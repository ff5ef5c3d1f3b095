"""What goes wrong with a report, for programs that load nothing slow."""


class ReportError(Exception):
  """No report can be made; the message says why in one sentence."""
