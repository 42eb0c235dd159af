"""Options: where a value comes from, what it may be, and where the store is."""

from __future__ import annotations

import contextvars
import os
from pathlib import Path

import pytest

from nbagent import settings
from nbagent.errors import ConfigurationError, UnknownOptionError


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """Give each test an empty project, no variables and no `%config`."""
    for option in settings.OPTIONS.values():
        monkeypatch.delenv(option.env, raising=False)
    before = dict(settings.config)
    for name in before:
        settings.configure(name, None)
    monkeypatch.chdir(tmp_path)
    yield
    for name in settings.OPTIONS:
        settings.configure(name, before.get(name))


def write_pyproject(folder: Path, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "pyproject.toml"
    path.write_text(text)
    return path


def test_the_nearest_source_wins(monkeypatch, tmp_path):
    """Flag over %config over environment over pyproject.toml over default, and `source_of` names the source."""
    seen = [(settings.get("timeout"), settings.source_of("timeout"))]
    write_pyproject(tmp_path, "[tool.nbagent]\ntimeout = 1\n")
    seen.append((settings.get("timeout"), settings.source_of("timeout")))
    monkeypatch.setenv("NBAGENT_TIMEOUT", "2.5")
    seen.append((settings.get("timeout"), settings.source_of("timeout")))
    settings.configure("timeout", 3)
    seen.append((settings.get("timeout"), settings.source_of("timeout")))
    seen.append((settings.get("timeout", flag="4"), settings.source_of("timeout", flag="4")))
    assert seen == [
        (600.0, "default"),
        (1.0, "pyproject.toml"),
        (2.5, "environment"),
        (3.0, "%config"),
        (4.0, "flag"),
    ]


def test_none_takes_a_setting_back_and_the_word_none_lifts_a_limit():
    """`configure(name, None)` unsets; `none` is a value of its own for options that may be without one."""
    settings.configure("timeout", "none")
    assert settings.get("timeout") is None
    settings.configure("timeout", None)
    assert settings.get("timeout") == 600.0


def test_values_gives_every_option_at_once(monkeypatch):
    """`values` agrees with `get` for each option."""
    monkeypatch.setenv("NBAGENT_MAX_STEPS", "7")
    found = settings.values({"on_busy": "reject"})
    assert found["max_steps"] == 7
    assert found["on_busy"] == "reject"
    assert found | {"on_busy": "queue"} == {name: settings.get(name) for name in settings.OPTIONS}


def test_values_looks_at_the_named_options_alone(monkeypatch):
    """An option that does not fit is the trouble of whoever needs it."""
    monkeypatch.setenv("NBAGENT_REFRESH_S", "soon")
    assert settings.values(names=["max_steps", "timeout"]) == {"max_steps": 20, "timeout": 600.0}
    with pytest.raises(UnknownOptionError):
        settings.values(names=["refresh_s"])
    with pytest.raises(UnknownOptionError):
        settings.values(names=["refresh"])


@pytest.mark.parametrize("option", settings.OPTIONS.values(), ids=lambda option: option.name)
def test_each_option_takes_its_own_default(option):
    """A default is a value that the option would take from a person, in the option's type."""
    if option.default is not None:
        assert settings.get(option.name, flag=option.default) == option.default
        assert isinstance(option.default, option.type)
    else:
        assert option.optional
    assert option.doc.endswith(".")


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("timeout", "1e3", 1000.0),
        ("timeout", 5, 5.0),
        ("max_steps", "12", 12),
        ("max_steps", 12.0, 12),
        ("max_output_tokens", "None", None),
        ("model", "demo:assistant", "demo:assistant"),
        ("on_busy", "cancel", "cancel"),
        ("max_cost", "0.50", 0.5),
        ("store", "~/x.duckdb", Path.home() / "x.duckdb"),
        ("prices", '{"p:m": {"input": 1, "output": 2.5}}', {"p:m": {"input": 1.0, "output": 2.5}}),
    ],
)
def test_text_becomes_the_options_type(name, raw, value):
    """A flag's or variable's text is read as the option's type."""
    found = settings.get(name, flag=raw)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("name", "raw", "expected"),
    [
        ("timeout", "abc", "a number of at least 0.001, or none"),
        ("timeout", "0", "a number of at least 0.001"),
        ("timeout", "nan", "a number"),
        ("timeout", "inf", "a number"),
        ("timeout", True, "a number"),
        ("max_steps", "1.5", "a whole number of at least 1"),
        ("max_steps", "none", "a whole number"),
        ("max_steps", [1], "a whole number"),
        ("on_busy", "wait", "one of 'queue', 'reject', 'parallel', 'cancel'"),
        ("model", 3, "text, or none"),
        ("store", 3, "a path, or none"),
        ("prices", {"p:m": 3}, 'a table such as {"provider:model": {"input": 0.5, "output": 1.5}}'),
        ("prices", {"m": {"input": 1, "output": 1}}, "a table"),
        ("prices", {"p:m": {"input": 1}}, "a table"),
        ("prices", {"p:m": {"input": 1, "output": -1}}, "a table"),
        ("prices", {"p:m": {"input": 1, "output": 1, "cached": 1}}, "a table"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(name, raw, expected):
    """The message holds the value, where it came from, and what the option takes."""
    with pytest.raises(UnknownOptionError) as caught:
        settings.get(name, flag=raw)
    assert repr(raw) in caught.value.what
    assert "the flag" in caught.value.what
    assert caught.value.todo.startswith(f"{name} takes {expected}")


def test_the_message_names_the_source_of_a_bad_value(monkeypatch, tmp_path):
    """A bad value from the environment, a file or %config is blamed on that source."""
    monkeypatch.setenv("NBAGENT_TIMEOUT", "abc")
    with pytest.raises(UnknownOptionError, match="environment variable NBAGENT_TIMEOUT has the value 'abc'"):
        settings.get("timeout")
    path = write_pyproject(tmp_path, '[tool.nbagent]\nmax_steps = "many"\n')
    with pytest.raises(UnknownOptionError) as caught:
        settings.get("max_steps")
    assert str(path) in caught.value.what
    with pytest.raises(UnknownOptionError, match=r"%config NBAgent\.max_steps has the value 0"):
        settings.configure("max_steps", 0)


def test_an_unknown_option_gets_a_close_match(tmp_path):
    """A misspelt name is an error with the nearest option, wherever it stands."""
    with pytest.raises(UnknownOptionError, match=r"no option 'timout' \(did you mean 'timeout'\?\)"):
        settings.get("timout")
    with pytest.raises(UnknownOptionError, match="did you mean 'model'"):
        settings.configure("modell", "x")
    with pytest.raises(UnknownOptionError, match="'max_step'"):
        settings.values({"max_step": 3})
    write_pyproject(tmp_path, "[tool.nbagent]\nmax_step = 3\n")
    with pytest.raises(UnknownOptionError, match=r"did you mean 'max_steps'.*pyproject\.toml"):
        settings.get("model")


def test_unknown_and_empty_variables_are_ignored(monkeypatch):
    """Other NBAGENT_ variables may belong to somebody; an empty one is not set."""
    monkeypatch.setenv("NBAGENT_SOMETHING", "1")
    monkeypatch.setenv("NBAGENT_TIMEOUT", "")
    assert settings.get("timeout") == 600.0


def test_a_changed_pyproject_is_read_again(tmp_path):
    """The file is parsed once for each of its versions."""
    path = write_pyproject(tmp_path, "[tool.nbagent]\nmax_steps = 3\n")
    assert settings.get("max_steps") == 3
    path.write_text("[tool.nbagent]\nmax_steps = 4\n")
    os.utime(path, ns=(1, 1))
    assert settings.get("max_steps") == 4
    path.unlink()
    assert settings.get("max_steps") == 20


def test_only_the_nearest_pyproject_counts(tmp_path):
    """A pyproject.toml without our table hides those above it."""
    write_pyproject(tmp_path, "[tool.nbagent]\nmax_steps = 3\n")
    assert settings.get("max_steps", start=tmp_path / "a") == 3
    write_pyproject(tmp_path / "a", "[project]\nname = 'x'\n")
    assert settings.get("max_steps", start=tmp_path / "a" / "b") == 20


@pytest.mark.parametrize("text", ["[tool.nbagent\n", "x = \xff", '[tool]\nnbagent = "x"\n'])
def test_a_broken_pyproject_is_named(text, tmp_path):
    """A file that cannot be read is an error with its path, not a traceback from the parser."""
    (tmp_path / "pyproject.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        settings.get("model")
    assert str(tmp_path / "pyproject.toml") in caught.value.what
    assert caught.value.todo


@pytest.mark.parametrize("mark", ["pyproject.toml", ".git", ".nbagent"])
def test_the_project_is_the_nearest_marked_folder(mark, tmp_path):
    """The project's root is the nearest folder upwards with one of the marks, else the start."""
    inner = tmp_path / "project" / "notebooks" / "deep"
    inner.mkdir(parents=True)
    (tmp_path / "project" / mark).mkdir()
    assert settings.project_root(inner) == tmp_path / "project"


def test_without_a_mark_the_start_is_the_project(tmp_path):
    """Where no folder upwards is marked, the record stays beside the notebook."""
    marked = any((up / m).exists() for up in tmp_path.parents for m in ("pyproject.toml", ".git", ".nbagent"))
    assert marked or settings.project_root(tmp_path) == tmp_path


def test_the_store_is_in_the_project_unless_it_is_set(monkeypatch, tmp_path):
    """`.nbagent/runs.duckdb` at the root; a file's path is relative to that file, others to the current folder."""
    path = write_pyproject(tmp_path, "[project]\n")
    inner = tmp_path / "notebooks"
    inner.mkdir()
    assert settings.store_path(inner) == tmp_path / ".nbagent" / "runs.duckdb"
    path.write_text('[tool.nbagent]\nstore = "data/r.duckdb"\n')
    assert settings.store_path(inner) == tmp_path / "data" / "r.duckdb"
    monkeypatch.chdir(inner)
    monkeypatch.setenv("NBAGENT_STORE", "../mine.duckdb")
    assert settings.store_path() == tmp_path / "mine.duckdb"
    settings.configure("store", "~/runs.duckdb")
    assert settings.store_path() == Path.home() / "runs.duckdb"
    assert settings.store_path(flag=tmp_path) == tmp_path / "runs.duckdb"
    assert not (tmp_path / ".nbagent").exists()


def test_a_launch_looks_at_the_project_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within one look a change of the file does not show, one of `%config` or the environment does; after it all do."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.nbagent]\nmax_steps = 3\ntimeout = 7\n")
    with settings.one_look():
        assert settings.get("max_steps") == 3
        file.write_text("[tool.nbagent]\nmax_steps = 40\n")
        inherited = contextvars.copy_context()
        assert (settings.get("max_steps"), settings.get("timeout")) == (3, 7)
        monkeypatch.setenv("NBAGENT_MAX_STEPS", "5")
        assert settings.values(names=["max_steps"]) == {"max_steps": 5}
        with settings.one_look():
            assert settings.get("timeout") == settings.OPTIONS["timeout"].default
        monkeypatch.delenv("NBAGENT_MAX_STEPS")
    assert settings.get("max_steps") == 40
    assert inherited.run(settings.get, "max_steps") == 3


def test_a_store_path_within_one_look_follows_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at the folders still hears `%config`, the environment and a change of the current folder."""
    monkeypatch.delenv("NBAGENT_STORE", raising=False)
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(tmp_path)
    with settings.one_look():
        here = settings.store_path()
        monkeypatch.setenv("NBAGENT_STORE", str(other))
        assert settings.store_path() == other / "runs.duckdb"
        monkeypatch.delenv("NBAGENT_STORE")
        assert settings.store_path() == here
        monkeypatch.chdir(other)
        assert settings.store_path() == settings.project_root() / ".nbagent" / "runs.duckdb"
