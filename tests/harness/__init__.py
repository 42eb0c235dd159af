"""Real parts for tests: a real kernel (`kernel.py`), a real JupyterLab in a real browser (`lab.py`).

Imported by tests and by their `conftest.py`, never by `nbagent`. Nothing here is mocked: what a test sees is
what a person with a notebook sees.
"""
