"""The SQL that makes the roles of a team: who may look, launch and cancel, approve. Pure text; an administrator runs it.

Whoever may look sees all prompts and answers of the record: there is one record for who may know of each other.
Whoever made the record's schema may do everything with it, deletion too, and is the one to run this.
"""

from __future__ import annotations

import re

from nbagent.errors import ConfigurationError

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")
# table -> what who launches does with it besides reading; rows of runs are only ever added, or changed where a run goes on
_WRITES = {
    "launches": "insert, update (cached_from)",
    "attempt_starts": "insert",
    "attempt_progress": "insert, update, delete",
    "attempt_ends": "insert",
    "model_calls": "insert, update (cost_usd, estimated_cost_usd)",
    "tool_calls": "insert",
    "messages": "insert",
    "answers": "insert, delete",
    "batches": "insert, update",
    "batch_rows": "insert",
    "scores": "insert",
    "cancel_requests": "insert, delete",
    "decision_requests": "delete",  # those that were heard; who makes them approves
    "sent_messages": "insert, delete",
    "tombstones": "insert",
    "writers": "insert, update",
    "workers": "insert, update, delete",  # a process of theirs may be a worker
    "placed_runs": "insert, update, delete",
}
# and who approves
_DECIDES = {"writers": "insert, update", "decision_requests": "insert"}
_ROLES = """
do $$ begin
{created}
end $$;
grant usage on schema "{schema}" to {reader}, {writer}, {approver};
grant select on all tables in schema "{schema}" to {reader}, {writer}, {approver};
alter default privileges in schema "{schema}" grant select on tables to {reader}, {writer}, {approver};
"""
_CREATE = "    if not exists (select from pg_roles where rolname = '{role}') then create role {role} nologin; end if;"
_GRANT = """do $$ begin
    if to_regclass('"{schema}".{table}') is not null then grant {rights} on "{schema}".{table} to {role}; end if;
end $$;
"""


def role_sql(schema: str = "nbagent", prefix: str = "nb") -> str:
    """Return the SQL that makes the roles `nb_reader`, `nb_writer` and `nb_approver` for the record in a schema.

    To be run once by who made the record (the first to launch in it), and once more after an update of nbagent; running it
    again does no harm. `grant nb_reader to ann` then lets ann look. Raises ConfigurationError for a name that SQL would have to quote.

    >>> "create role nb_approver" in nb.role_sql()
    True
    """
    for name in (schema, prefix):
        if not _NAME.fullmatch(name):
            raise ConfigurationError(
                f"{name!r} is no plain name", "take small letters, digits and _, 41 at most, as in nb_team"
            )
    roles = {one: f"{prefix}_{one}" for one in ("reader", "writer", "approver")}
    created = "\n".join(_CREATE.format(role=role) for role in roles.values())
    granted = "".join(
        _GRANT.format(schema=schema, table=table, rights=rights, role=roles[role])
        for role, tables in (("writer", _WRITES), ("approver", _DECIDES))
        for table, rights in tables.items()
    )
    return _ROLES.format(schema=schema, created=created, **roles).lstrip() + granted
