"""Looking after the record: what a person asks for now and then, on the caller's thread.

answers.py  recorded answers to a file and back     cleaning.py  deleting runs
pricing.py  prices given later
tables.py   runs and calls as files                 findings.py  what is installed, set and at hand
"""

from nbagent.upkeep.answers import export_answers, import_answers
from nbagent.upkeep.cleaning import Clearing, clear, clear_runs, to_clear
from nbagent.upkeep.findings import Findings, doctor
from nbagent.upkeep.pricing import reprice
from nbagent.upkeep.tables import export_runs

__all__ = [
    "Clearing",
    "Findings",
    "clear",
    "clear_runs",
    "doctor",
    "export_answers",
    "export_runs",
    "import_answers",
    "reprice",
    "to_clear",
]
