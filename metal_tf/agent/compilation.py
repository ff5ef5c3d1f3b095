"""How XLA is to compile the learner's steps."""

import os

# A whole step is one large function. LLVM's most expensive passes take half a
# minute on it and make the result no faster: see docs/performance.md.
_FLAG = '--xla_llvm_disable_expensive_passes'


def set_up() -> None:
  """Tells XLA what to leave out; what the user has said of it stays.

  To be called before anything is compiled: XLA reads its flags once.
  """
  flags = os.environ.get('XLA_FLAGS', '')
  if _FLAG not in flags:
    os.environ['XLA_FLAGS'] = f'{flags} {_FLAG}=true'.strip()
