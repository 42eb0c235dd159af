"""One file for each framework: `describe` one of its agents, `run` it. Each imports its framework when it runs one.

`histories.py` has our history in the forms of those that take none of the usual one.
"""
