"""Addresses of records on a server: read as libpq reads them, never shown with a password."""

from __future__ import annotations

import pytest

from nbagent import settings
from nbagent.errors import UnknownOptionError
from nbagent.settings import ServerUrl, is_server_url, server_url

SECRET = "s3cr3t-w0rd"  # noqa: S105 - of nothing


@pytest.mark.parametrize(
    ("text", "schema", "shown"),
    [
        ("postgresql://host/team", "nbagent", "postgresql://host/team"),
        (f"postgresql://me:{SECRET}@host:5433/team", "nbagent", "postgresql://me@host:5433/team"),
        (f"postgres://me:{SECRET}@host/team?schema=lab", "lab", "postgresql://me@host/team?schema=lab"),
        (f"postgresql://host/t?password={SECRET}&sslmode=require", "nbagent", "postgresql://host/t?sslmode=require"),
        (f"postgresql+psycopg://a%40b:{SECRET}@h1,h2:5433/t", "nbagent", "postgresql://a%40b@h1,h2:5433/t"),
        ("postgresql://me@/team?host=/run/postgresql", "nbagent", "postgresql://me@/team?host=/run/postgresql"),
    ],
)  # fmt: skip
def test_an_address_is_shown_without_its_password(
    text: str, schema: str, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever way it was given, `str`, `repr` and the option's own repr have no password; libpq gets it all the same."""
    url = server_url(text)
    monkeypatch.setenv("NBAGENT_STORE", text)
    found = settings.store_place()
    assert found == url
    assert (url.schema, str(url)) == (schema, shown)
    assert SECRET not in f"{url}{url!r}{settings.get('store')!r}{[url]}"
    assert (SECRET in url.dsn) == (SECRET in text)
    assert "schema=" not in url.dsn
    assert SECRET not in url.without_secrets(f"FATAL: {text}")


@pytest.mark.parametrize("schema", ["Team", "a-b", 'x"; drop schema public; --', "", "1st", "a" * 64])
def test_a_schema_is_a_plain_name(schema: str) -> None:
    """What could not be written without quotes is refused in two lines, and the password is in neither."""
    with pytest.raises(UnknownOptionError) as refused:
        settings.get("store", f"postgresql://me:{SECRET}@host/team?schema={schema}")
    assert SECRET not in str(refused.value)
    assert "schema" in refused.value.what


@pytest.mark.parametrize(
    "place", ["runs.duckdb", "/srv/runs.duckdb", "postgresql.duckdb", "C:/x/runs.duckdb"]
)
def test_a_path_is_no_address(place: str) -> None:
    """Only what begins as an address is one."""
    assert not is_server_url(place)
    assert not isinstance(settings.store_place(flag=place), ServerUrl)
