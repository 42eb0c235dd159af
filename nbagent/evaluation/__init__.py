"""Evaluation: agents asked the same cases in the background, their answers scored, and compared with an earlier time.

comparison.py  the same prompts to several agents or models, side by side
contenders.py  the agents and models that are asked, by their names
difference.py  what two runs did, step by step
evaluation.py  `evaluate` and `Evaluation`, what a user holds
staleness.py   which runs would be asked something else today
scorers.py     exact, contains, regex, within: from an answer to a score
judging.py     a model as a scorer: its own batch, its costs apart
columns.py     the columns of its frame that are no scores
cases.py       cases and expected values from tables, CSV files and past runs
scoring.py     an answer to its scores, whatever a scorer raises
summary.py     means with intervals, regressions        intervals.py  Wilson and the bootstrap
"""

from nbagent.evaluation.comparison import compare
from nbagent.evaluation.difference import diff
from nbagent.evaluation.evaluation import Evaluation, evaluate
from nbagent.evaluation.judging import judge
from nbagent.evaluation.scorers import contains, exact, regex, within
from nbagent.evaluation.staleness import stale, stale_prompts

__all__ = [
    "Evaluation",
    "compare",
    "contains",
    "diff",
    "evaluate",
    "exact",
    "judge",
    "regex",
    "stale",
    "stale_prompts",
    "within",
]
