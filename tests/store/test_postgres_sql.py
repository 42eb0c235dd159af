"""Point reads on a server are the file's SQL, in Postgres' spelling."""

from __future__ import annotations

import pytest

from nbagent.store.postgres.dialect import postgres_sql


@pytest.mark.parametrize(
    ("sql", "spelt"),
    [
        ("select * from runs where run_id = ? and turn < ?", "select * from runs where run_id = $1 and turn < $2"),
        ("select details ->> '$.own', '?' from launches", "select details ->> 'own', '?' from launches"),
        ("select unnest(?), unnest(?::varchar[])", "select unnest($1::text[]), unnest($2::varchar[])"),
        ("select arg_max(s.owner, s.attempt) from s", "select (array_agg(s.owner order by s.attempt desc))[1] from s"),
        ("select arg_max(run_id, (a, b)) from s", "select (array_agg(run_id order by (a, b) desc))[1] from s"),
        ("select 'it''s $.x ?', ?", "select 'it''s $.x ?', $1"),
    ],
)  # fmt: skip
def test_a_point_read_is_spelt_as_postgres_has_it(sql: str, spelt: str) -> None:
    """Parameters have numbers, JSON fields their bare names; what stands in quotes stays."""
    assert postgres_sql(sql) == spelt
