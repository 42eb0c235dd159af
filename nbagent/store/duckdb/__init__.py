"""The record in one DuckDB file: the file and its schema; `write` and `read` beside them."""
