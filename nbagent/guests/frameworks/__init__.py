"""One file for each framework: `describe` one of its agents, `run` it. Each imports its framework when it runs one.

`typed_answers.py` has a schema in the forms that they take, `histories.py` our history for those that take another
form than the usual one. Members of teams, handoffs and workflows are runs of their own (`task.members`).
"""
