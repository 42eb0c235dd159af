"""Tables of other packages, read by DuckDB through Arrow's PyCapsule interface: polars, pyarrow and the like. Any thread.

Neither package is imported, and pyarrow need not be there.
"""

from __future__ import annotations

from typing import Any

from nbagent.errors import UnknownOptionError


class _Stream:
    """Nothing of a table but its stream: DuckDB would look for pyarrow where it knows the table's class."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def arrow_rows(table: Any) -> tuple[list[str], list[str], list[tuple[Any, ...]]]:
    """Return a table's column names, their DuckDB types, and its rows as Python values. Raises UnknownOptionError."""
    import duckdb

    try:
        with duckdb.connect(":memory:") as connection:
            relation = connection.from_arrow(_Stream(table))
            return list(relation.columns), [str(one) for one in relation.types], relation.fetchall()
    except Exception as error:
        what = str(error).partition("\n")[0][:300]
        raise UnknownOptionError(
            f"the rows of {type(table).__module__}.{type(table).__name__} cannot be read through Arrow: {what}",
            "give a pandas DataFrame (table.to_pandas()) or a list of dicts",
        ) from error
