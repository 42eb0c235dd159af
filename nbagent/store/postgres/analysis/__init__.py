"""Analysis of a record on Postgres: a private DuckDB mirror, so that there is one SQL for every count.

mirror.py        `Mirror`: pull what is new, then ask
mirror_file.py   the DuckDB file: where it is, whose it is, its tables
pull.py          what is new on the server, into the file
"""
