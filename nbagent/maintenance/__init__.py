"""Looking after the record: what a person asks for now and then, on the caller's thread.

answer_files.py  recorded answers to a file and back     clear.py      preview and delete runs
export.py        runs and calls as files                 diagnosis.py  what is installed, set and at hand
repricing.py     prices given later               record_files.py  a whole record to a file and back
"""

from nbagent.maintenance.answer_files import export_answers, import_answers
from nbagent.maintenance.clear import DeletionPreview, clear, clear_runs, to_clear
from nbagent.maintenance.diagnosis import Diagnosis, doctor
from nbagent.maintenance.export import export_runs
from nbagent.maintenance.record_files import SUFFIX, export_record, import_record
from nbagent.maintenance.repricing import reprice
from nbagent.store import role_sql

__all__ = [
    "SUFFIX",
    "DeletionPreview",
    "Diagnosis",
    "clear",
    "clear_runs",
    "doctor",
    "export_answers",
    "export_record",
    "export_runs",
    "import_answers",
    "import_record",
    "reprice",
    "role_sql",
    "to_clear",
]
