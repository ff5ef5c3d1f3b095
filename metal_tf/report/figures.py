"""All figures of a report, or what is missing for them."""

from typing import Callable, List, Tuple

from metal_tf.report import bars
from metal_tf.report import collect
from metal_tf.report import curves
from metal_tf.report import style


def draw(grid: collect.Grid, say: Callable[[str], None]
         ) -> Tuple[List[style.Made], List[style.Missing]]:
  """Draws what the grid supports.

  Args:
    grid: with at least one finished run.
    say: takes a line of progress.

  Returns:
    the figures, and those that cannot be made.
  """
  looks = style.looks(grid.labels)
  outcomes = [
      bars.outer_losses(grid, looks),
      bars.by_coefficient(grid, looks, all_agents=False),
      bars.by_coefficient(grid, looks, all_agents=True),
      bars.by_domain(grid, looks),
      bars.trade_off(grid, looks)]
  say(f'{len(outcomes)} figures of scores')
  outcomes += [curves.figure_4(grid, looks), curves.meta_gradient(grid, looks),
               *curves.learning_curves(grid, looks)]
  say(f'{len(outcomes)} figures')
  return ([x for x in outcomes if isinstance(x, style.Made)],
          [x for x in outcomes if isinstance(x, style.Missing)])
