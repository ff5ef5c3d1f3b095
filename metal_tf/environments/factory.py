"""`make`: one of the paper's tasks with the constraints asked for."""

import importlib.util
from typing import Any, Optional, Sequence, Tuple

from metal_tf.environments import rwrl_spec as rwrl_spec_lib
from metal_tf.environments import tasks
from metal_tf.environments import wrapper

SUITES = ('auto', 'realworldrl', 'builtin')


def resolve_suite(suite: str = 'auto') -> str:
  """Says which implementation of the tasks will be used.

  Args:
    suite: 'realworldrl' for the real suite, 'builtin' for our tasks, which
      equal it bit for bit, or 'auto': the real one where it is installed.

  Returns:
    'realworldrl' or 'builtin'.

  Raises:
    ValueError: for an unknown word, or for 'realworldrl' where the package is
      not on the path.
  """
  if suite not in SUITES:
    raise ValueError(
        f'unknown suite: {suite!r}, expected one of {", ".join(SUITES)}')
  if suite == 'builtin':
    return 'builtin'
  spec = importlib.util.find_spec('realworldrl_suite')
  # A directory of that name on the path, such as a checkout's root, is no
  # package: it has a spec without an origin.
  if spec is not None and spec.origin is not None:
    return 'realworldrl'
  if suite == 'auto':
    return 'builtin'
  raise ValueError(
      "suite 'realworldrl' needs the package realworldrl_suite, which is not "
      'on the path: use the builtin suite (it equals the real one), or run '
      'tools/realworldrl_suite.sh, which fetches commit '
      f'{tasks.SUITE_COMMIT[:7]}')


def make(domain: str,
         task: Optional[str] = None,
         *,
         safety_coeff: float,
         constraints: Sequence[Tuple[str, float]],
         seed: int,
         suite: str = 'auto',
         rwrl_spec: str = '',
         include_penalties_in_observation: bool = False
         ) -> wrapper.ConstrainedEnvironment:
  """Makes one of the paper's tasks.

  Args:
    domain: 'cartpole', 'walker', 'quadruped' or 'humanoid'.
    task: the suite's name with or without `realworld_`; the domain's only task
      if None.
    safety_coeff: in [0, 1]; smaller is stricter.
    constraints: name and threshold of each of the K constraints.
    seed: of the initial states; the same seed and actions give the same
      episodes.
    suite: 'auto', 'realworldrl' or 'builtin', see `resolve_suite`.
    rwrl_spec: the real suite's delays, noise and so on, as JSON; '' for none.
    include_penalties_in_observation: appends the K penalties to the
      observation.

  Returns:
    The environment; its `suite` says which implementation it is.

  Raises:
    ValueError: for an unknown name (with the nearest), a coefficient outside
      [0, 1], a bad threshold, no constraint or a repeated one, a suite that is
      missing or cannot be imported, or a spec that it does not take.
  """
  info = tasks.lookup(domain, task)
  safety_coeff = tasks.check_safety_coeff(safety_coeff)
  chosen = [(info.constraint(name), threshold)
            for name, threshold in constraints]
  spec = rwrl_spec_lib.parse(rwrl_spec, info.domain)
  # A simulator is loaded here and not above, see the package's docstring.
  implementation: Any  # One module or the other.
  if resolve_suite(suite) == 'realworldrl':
    try:
      from metal_tf.environments import realworldrl
    except ImportError as error:
      raise ValueError(
          f'realworldrl_suite is there but cannot be imported ({error}): use '
          'the builtin suite, which equals it') from error
    implementation = realworldrl
    environment = implementation.make_environment(
        info, safety_coeff, seed, spec)
  elif spec:
    raise ValueError('rwrl_spec is for the real suite, which this is not')
  else:
    from metal_tf.environments import builtin
    implementation = builtin
    environment = implementation.make_environment(info, safety_coeff, seed)
  # The suite observes its bits; the agent gets them only when asked for.
  observation_keys = [key for key in environment.observation_spec()
                      if key != 'constraints']
  return wrapper.ConstrainedEnvironment(
      environment,
      implementation.make_constraints(environment, info, safety_coeff, chosen),
      observation_keys=observation_keys,
      include_penalties_in_observation=include_penalties_in_observation,
      name=f'{info.domain}/{info.task}',
      suite=implementation.version())
