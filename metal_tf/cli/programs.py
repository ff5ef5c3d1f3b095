"""Every program behind one name: `metal train`, `metal sweep` and so on.

`metal` is the wheel's command; `python -m metal_tf.cli` is the same without an
installation, and `bazel run //launchers:NAME` starts one program. Only Python's
own library is imported here, so that the doctor starts where nothing else does.
"""

import difflib
import importlib
import sys
from types import ModuleType
from typing import NoReturn

from metal_tf import __version__

_TRAINING = {
    'train': 'trains MetaL, the paper\'s agent',
    'd4pg': 'trains the baseline without constraints',
    'rs_d4pg': 'trains the baseline with a fixed multiplier',
    'rc_d4pg': 'trains the baseline that learns the multiplier alone',
    'mesh': 'trains the baseline that learns to shape the reward',
}
_OTHERS = {
    'sweep': 'trains a grid of runs',
    'watch': 'shows a run or a sweep as it goes',
    'evaluate': 'runs a policy without noise, and films it',
    'export': 'exports the policy of a run',
    'report': 'makes tables and figures of runs',
    'archive': 'keeps the data of finished runs',
    'readme': 'writes the results of archived runs into README and docs',
    'doctor': 'examines whether this machine can train',
}
_MAIN_AGENT = 'metal'


def main() -> NoReturn:
  """Runs the program that is the first argument; ends the process."""
  name = sys.argv[1] if len(sys.argv) > 1 else '--help'
  if name in ('--help', '-h', 'help'):
    print(_usage())
    sys.exit(0)
  if name == '--version':
    print(__version__)
    sys.exit(0)
  names = [*_TRAINING, *_OTHERS]
  if name not in (*names, _MAIN_AGENT):
    near = difflib.get_close_matches(name, names, n=1)
    print(f'metal: got {name!r}, expected one of {", ".join(names)}.'
          + (f' Did you mean {near[0]}?' if near else ''), file=sys.stderr)
    sys.exit(2)
  sys.argv[:2] = [name]
  run(name)


def run(name: str) -> NoReturn:
  """Runs a program with the arguments of this process, which it ends.

  Args:
    name: of the program; an agent's name trains it.
  """
  if name in _OTHERS:
    module = importlib.import_module(f'metal_tf.cli.{name}')
    _show_in_help(module)
    module.main()
  else:
    # pylint: disable=g-import-not-at-top
    from metal_tf.agent import agents
    from metal_tf.cli import main as main_lib
    # pylint: enable=g-import-not-at-top
    algorithm = agents.ALGORITHMS[_MAIN_AGENT if name == 'train' else name]
    main_lib.launch(algorithm)
  raise AssertionError(f'{name} ends the process.')


def _show_in_help(module: ModuleType) -> None:
  """Makes --help show a module's text and flags, as if it were the program."""
  sys.modules['__main__'].__doc__ = module.__doc__
  flags = sys.modules.get('absl.flags')
  if flags is not None:  # The doctor has argparse's.
    for flag in flags.FLAGS.get_key_flags_for_module(module):
      flags.FLAGS.register_key_flag_for_module(sys.argv[0], flag)


def _usage() -> str:
  lines = ['usage: metal PROGRAM [--FLAG=VALUE]...', '']
  lines += [f'  {name:9} {text}'
            for name, text in {**_TRAINING, **_OTHERS}.items()]
  return '\n'.join([*lines, '', 'metal PROGRAM --help shows its flags '
                    '(--helpfull: all of them); metal --version.'])
