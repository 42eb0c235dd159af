"""`%%after NAME ...`: a cell that runs once, when the runs that it names have ended.

waiting_cells.py    what waits, until when, and how its cell runs between two others
left_behind.py      cells that waited in a kernel which is gone
"""

from nbagent.magics.after.left_behind import say_gone
from nbagent.magics.after.waiting_cells import after

__all__ = ["after", "say_gone"]
