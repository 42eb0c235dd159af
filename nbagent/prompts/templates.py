"""Prompt templates: Jinja2, strict about names, sandboxed, over a notebook's variables.

`{{ x }}` is a variable or expression, `{% for %}` and `{% if %}` are statements, `{# ... #}` is a comment
that is not sent, `{% raw %}...{% endraw %}` keeps braces as they are; single braces are plain text. A value
is put in as data: what looks like a template in it stays as it is. A DataFrame becomes its shape and a CSV of
its first and last rows; a missing value (None, NaN, NaT, pandas' NA) is nothing, and `null` after `| tojson`.
Called by the agent, the magics and the batch with the names a template may use, on any thread. jinja2 is
imported with the first prompt that needs it.
"""

from __future__ import annotations

import functools
import os
import re
import string
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from nbagent.errors import TemplateError, did_you_mean
from nbagent.prompts.rendering import array_text, frame_text, is_array, is_missing
from nbagent.prompts.template_filters import (
    adapt_filters,
    endless_call,
    endless_product,
    format_percent,
    of_a_value,
)

if TYPE_CHECKING:
    from types import TracebackType

    from jinja2 import Template
    from jinja2.sandbox import SandboxedEnvironment

_MARKS = ("{{", "{%", "{#")
_FILE = "<template>"  # jinja2's name for a template without a file, in tracebacks
_RAW_HINT = "correct it, or keep braces as text with {% raw %}...{% endraw %}"
# functions of Python that a template may use; its types come as functions too (`_environment`), for a type's own
# methods (`str.format`) get around the sandbox
_FUNCTIONS = (abs, all, any, len, max, min, repr, round, sorted, sum)
_TYPES = (dict, enumerate, float, int, list, range, set, str, zip)
_FORMATTING = frozenset({"format", "format_map", "vformat", "get_field"})
# what to do about a name that a template uses and nobody has: for a cell's text, and for a call in Python
IN_A_CELL = "define it in a cell, or correct the name"
BY_NAMES = 'give it to the template with names={"{name}": {name}}, or correct the name'
_OF_JINJA = ("cycler", "joiner", "namespace")


class FilledText(str):
    """A text that knows the `template` that it was made from."""

    __slots__ = ("template",)

    template: str

    @classmethod
    def of(cls, text: str, template: str) -> FilledText:
        """Return a text with its template."""
        filled = cls(text)
        filled.template = template
        return filled


def calls_anything(template: str) -> bool:
    """Say whether a template calls functions or methods, so that filling it again may give something else."""
    from jinja2 import nodes

    if not is_template(template):
        return False
    _compiled(template)  # which says what is wrong with it
    return next(_environment().parse(template).find_all(nodes.Call), None) is not None


def render(template: str, names: Mapping[str, Any], undefined: str = IN_A_CELL) -> FilledText:
    """Return `template` with the values of `names` put in; a text without `{{`, `{%` or `{#` as it is.

    `undefined` is what to do about a name that is not there, `{name}` in it. Raises TemplateError for a name
    that is not defined, a syntax error (with its line), an access that the sandbox forbids, and any exception
    that a value raises while it is shown.
    """
    if not is_template(template):
        return FilledText.of(template, template)
    compiled, used = _compiled(template)
    values = {name: names[name] for name in used if name in names}
    for name, value in values.items():
        if isinstance(value, type(os.environ)):
            raise TemplateError(
                f"{name!r} is the environment, which no template reads", "put the one value into a variable"
            )
    try:
        return FilledText.of(compiled.render(values), template)
    except Exception as error:  # noqa: BLE001 - a template calls any code of the user's values
        _fail(error, template, names, undefined)


def is_template(text: str) -> bool:
    """Say whether `text` holds anything that jinja2 would act on."""
    return any(mark in text for mark in _MARKS)


def variables_in(template: str) -> set[str]:
    """Return the names that `template` takes from outside; TemplateError for a syntax error."""
    if not is_template(template):
        return set()
    return set(_compiled(template)[1]) - _environment().globals.keys()


@functools.cache
def _environment() -> SandboxedEnvironment:
    from jinja2 import StrictUndefined
    from jinja2.sandbox import safe_range

    environment = _environment_class()(
        undefined=StrictUndefined,
        finalize=_shown,
        autoescape=False,  # a prompt is no HTML
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    kept = {name: _as_function(environment.globals[name]) for name in _OF_JINJA}
    environment.globals.clear()
    environment.globals.update(kept)
    environment.globals.update({function.__name__: function for function in _FUNCTIONS})
    environment.globals.update({kind.__name__: _as_function(kind) for kind in _TYPES if kind is not range})
    environment.globals.update({kind.__name__: of_a_value(_as_function(kind)) for kind in (int, float)})
    environment.globals["range"] = safe_range
    adapt_filters(environment.filters)
    environment.tests["none"] = is_missing
    return environment


@functools.cache
def _environment_class() -> type[SandboxedEnvironment]:
    from jinja2.exceptions import SecurityError
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Environment(ImmutableSandboxedEnvironment):
        """jinja2's sandbox, with the ways closed that lead from a notebook's own values to the environment.

        Products, powers and widths have a limit: `"a" * 10**10` would take the machine's memory, `9 ** (9 **
        9)` the kernel.
        """

        intercepted_binops = frozenset({"*", "**", "%"})

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            if endless_product(operator, left, right):
                raise SecurityError(f"the result of {operator} would be too large")
            if operator == "%" and isinstance(left, str):
                return format_percent(left, right)
            return super().call_binop(context, operator, left, right)

        def call(self, context: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if endless_call(function, args, kwargs):
                raise SecurityError(f"the result of {function.__name__} would be too large")
            return super().call(context, function, *args, **kwargs)

        def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
            return super().is_safe_attribute(obj, attr, value) and not _leads_out(obj, attr, value)

        def is_safe_callable(self, obj: Any) -> bool:
            return super().is_safe_callable(obj) and not _reads_unguarded(obj)

    return Environment


def _leads_out(obj: Any, attr: str, value: Any) -> bool:
    """Say whether an attribute is a way to the environment or out of a module into another package's.

    A module that the user imported is a name like any other, and so are its own submodules; what that module
    has imported for itself (`pandas.io.common.os`) is not.
    """
    if isinstance(value, ModuleType):
        own = isinstance(obj, ModuleType) and value.__name__.startswith(f"{obj.__name__}.")
        return not own and value is not os.path
    if isinstance(value, type(os.environ)) or any(value is one for one in _READERS):
        return True
    return attr in _FORMATTING and (isinstance(obj, string.Formatter) or _is_text_type(obj))


def _reads_unguarded(function: Any) -> bool:
    """Say whether this reads the environment, or is a text type's own `format`: jinja2 guards only a text's."""
    owner = getattr(function, "__objclass__", None)
    name = getattr(function, "__name__", "")
    return (name in _FORMATTING and _is_text_type(owner)) or any(function is one for one in _READERS)


def _is_text_type(obj: Any) -> bool:
    return isinstance(obj, type) and issubclass(obj, str | string.Formatter)


_READERS = tuple(
    getattr(os, name)
    for name in ("getenv", "getenvb", "get_exec_path", "popen", "system")
    if hasattr(os, name)
)


def _as_function(kind: Any) -> Callable[..., Any]:
    """Return a function that makes what the type makes: it can be called, and has no methods to reach."""

    def make(*args: Any, **kwargs: Any) -> Any:
        return kind(*args, **kwargs)

    make.__name__ = make.__qualname__ = kind.__name__
    return make


@functools.lru_cache(maxsize=256)
def _compiled(template: str) -> tuple[Template, frozenset[str]]:
    """Return the compiled template and the names it reads; a batch renders one template thousands of times."""
    from jinja2 import TemplateSyntaxError, meta

    environment = _environment()
    try:
        used = meta.find_undeclared_variables(environment.parse(template))
        return environment.from_string(template), frozenset(used)
    except TemplateSyntaxError as error:
        raise TemplateError(
            f"line {error.lineno} of the template: {_jinja_words(error)}", _RAW_HINT
        ) from None
    except RecursionError:
        raise TemplateError("the template is nested too deep", _RAW_HINT) from None


def _jinja_words(error: Any) -> str:
    """Return jinja2's own message, with a close match where a filter or test has no such name."""
    text = str(error.message).rstrip(".")
    if found := re.match(r"No (filter|test) named '(\w+)'", text):
        environment = _environment()
        known = environment.filters if found[1] == "filter" else environment.tests
        return f"no {found[1]} {found[2]!r}{did_you_mean(found[2], known)}"
    return text


def _shown(value: Any) -> object:
    """Show tables compactly, arrays whole and a missing value as nothing; all else is shown by its own `str()`."""
    if type(value) is str:
        return value
    if is_missing(value):
        return ""
    if is_array(value):
        return array_text(value)
    table = frame_text(value)
    return value if table is None else table


def _fail(error: Exception, template: str, names: Mapping[str, Any], undefined: str) -> NoReturn:
    """Raise the TemplateError that says what `error` was."""
    from jinja2.exceptions import SecurityError, TemplateRuntimeError, UndefinedError

    where = _place_of(error.__traceback__, template)
    if isinstance(error, SecurityError):
        raise TemplateError(
            f"{where}: {error}", "templates read values only; compute it in a cell and use the variable"
        ) from None
    if isinstance(error, UndefinedError):
        message = str(error.message)
        missing = re.match(r"'(\w+)' is undefined", message)
        if missing and missing[1] not in names:
            known = {*names, *_environment().globals}
            raise TemplateError(
                f"{missing[1]!r} is not defined{did_you_mean(missing[1], known)}, used in {where}",
                undefined.replace("{name}", missing[1]),
            ) from None
        raise TemplateError(f"{where}: {message}", "correct the expression") from None
    if isinstance(error, TemplateRuntimeError):
        raise TemplateError(f"{where}: {_jinja_words(error)}", "correct the expression") from None
    raise TemplateError(
        f"{where} failed: {type(error).__name__}: {_words(error)}",
        "correct the expression or the value it shows",
    ) from error


def _words(error: Exception) -> str:
    try:
        return str(error)[:500]
    except Exception:  # noqa: BLE001 - an exception of the user's, whose own text may fail too
        return "(no text)"


def _place_of(traceback: TracebackType | None, template: str) -> str:
    """Return the expression that was being shown, or its line where there are several on it."""
    number = None
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == _FILE:
            number = traceback.tb_lineno
        traceback = traceback.tb_next
    lines = template.splitlines()
    if number is None or not 0 < number <= len(lines):
        return "the template"
    expressions = re.findall(r"\{\{.*?\}\}|\{%.*?%\}", lines[number - 1])
    return str(expressions[0]) if len(expressions) == 1 else f"line {number} of the template"
