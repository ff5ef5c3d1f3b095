"""One learner step on two threads: policy beside critic, halves of targets.

XLA runs a compiled function in one thread, and TensorFlow runs two of them side
by side. The functions here are the whole iteration each, compiled for a part of
what it returns: the rest is left out by the compiler.
"""

from typing import Any, Callable, Dict, Tuple

import tensorflow as tf

from metal_tf import types
from metal_tf.agent import algorithm1
from metal_tf.agent import iteration as iteration_lib

# What the policy's thread returns: fields of the training state, and metrics.
_FIELDS = ('policy', 'policy_slots')
_METRICS = ('policy_loss', 'policy_gradient_norm')


def one_step(
    iteration: iteration_lib.Iteration, compiled: Callable[..., Any],
    state: algorithm1.TrainingState, tally: iteration_lib.Tally,
    samples: types.Sample, count: tf.Tensor
) -> Tuple[algorithm1.TrainingState, iteration_lib.Tally, tf.Tensor]:
  """Makes one step, the same as `iteration` does but for rounding.

  Args:
    iteration: makes a step.
    compiled: compiles a function by XLA.
    state: the training state.
    tally: what was counted before.
    samples: of one step, `[1, ...]`.
    count: 1.

  Returns:
    State and tally after it, and new priorities `[1, B]`.
  """
  del count
  sample = tf.nest.map_structure(lambda x: x[0], samples)
  state = iteration.copy_targets(state)
  o_t = sample.transitions.o_t
  half = o_t.shape[0] // 2
  target_output = compiled(iteration.target_output)
  output_t = tf.concat([target_output(state, o_t[:half]),
                        target_output(state, o_t[half:])], axis=0)

  def of_policy(*args: Any) -> Tuple[Any, ...]:
    proposal = iteration.propose(*args)
    return ({name: getattr(proposal.state, name) for name in _FIELDS},
            {name: proposal.metrics[name] for name in _METRICS})

  def of_critic(*args: Any) -> iteration_lib.Proposal:
    proposal = iteration.propose(*args)
    nothing: Dict[str, Any] = dict.fromkeys(_FIELDS, ())
    return proposal._replace(
        state=proposal.state._replace(**nothing),
        metrics={name: value for name, value in proposal.metrics.items()
                 if name not in _METRICS})

  fields, metrics = compiled(of_policy)(state, sample, output_t)
  proposal = compiled(of_critic)(state, sample, output_t)
  state, tally, priorities = iteration_lib.settle(
      state, tally, proposal._replace(
          state=proposal.state._replace(**fields),
          metrics={**proposal.metrics, **metrics}))
  return state, tally, priorities[None]
