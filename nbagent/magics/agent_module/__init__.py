"""`%%agent_module FILE`: a cell as a module, so that workers and other notebooks can import what it makes.

cell_source.py      the cell's text with the imports that it takes from the notebook
written_module.py   the file, and the module imported from it
"""

from nbagent.magics.agent_module.written_module import agent_module

__all__ = ["agent_module"]
