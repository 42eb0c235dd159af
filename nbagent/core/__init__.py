"""Small things that every room may use. Any thread.

text.py           cut, one line, money, durations, sizes     console.py          say a line to the person
clock.py          the time in UTC, ids that sort by time     threads.py          work in daemon threads
json_codec.py     JSON to bytes and back                     message_limits.py   how large a message may be
redaction.py      keys out of texts                          terminal_text.py    text that no terminal obeys
hints.py          what to do, by how nbagent is used         argument_checks.py  arguments of public functions
entry_points.py   what other packages bring            idle_imports.py     imports while no cell runs
"""

from nbagent.core.argument_checks import (
    check_callable,
    check_count,
    check_keywords,
    check_launch,
    check_mapping,
    check_path,
    check_prompt,
    check_seconds,
    check_tags,
    check_text,
    explains_keywords,
    is_awaited,
    is_number,
    plain_number,
    unwrap_fields,
    unwrapped,
)
from nbagent.core.clock import seconds_between, utc_now, uuid7
from nbagent.core.console import in_notebook, say, say_once
from nbagent.core.entry_points import (
    broken_entry_point,
    entry_point_names,
    find_entry_point,
    load_entry_point,
)
from nbagent.core.hints import by_place, how_to_set, magics_loaded, says_magic, show_runs
from nbagent.core.idle_imports import IdleImports
from nbagent.core.json_codec import dump_json, load_json, load_json_each
from nbagent.core.message_limits import (
    ERROR_BODY,
    LARGE,
    BadCompressionError,
    MessageTooLargeError,
    bound_json_body,
    check_message,
    cut_error_body,
    message_limit,
    other_origin,
    redirected_to,
    too_many_bytes,
    unpacked,
)
from nbagent.core.redaction import (
    MASK,
    is_secret_name,
    mask,
    masked_fields,
    masked_url,
    masked_urls,
    remember,
    remember_named,
    remember_url,
)
from nbagent.core.terminal_text import PrintablePieces, printable
from nbagent.core.text import (
    format_bytes,
    format_seconds,
    format_usd,
    last_line,
    one_line,
    truncate,
    truncate_end,
    utf8_safe,
)
from nbagent.core.threads import (
    Soon,
    call_when_done,
    main_thread_soon,
    run_in_daemon_thread,
    set_main_thread_scheduler,
    within,
)

__all__ = [
    "ERROR_BODY",
    "LARGE",
    "MASK",
    "BadCompressionError",
    "IdleImports",
    "MessageTooLargeError",
    "PrintablePieces",
    "Soon",
    "bound_json_body",
    "broken_entry_point",
    "by_place",
    "call_when_done",
    "check_callable",
    "check_count",
    "check_keywords",
    "check_launch",
    "check_mapping",
    "check_message",
    "check_path",
    "check_prompt",
    "check_seconds",
    "check_tags",
    "check_text",
    "cut_error_body",
    "dump_json",
    "entry_point_names",
    "explains_keywords",
    "find_entry_point",
    "format_bytes",
    "format_seconds",
    "format_usd",
    "how_to_set",
    "in_notebook",
    "is_awaited",
    "is_number",
    "is_secret_name",
    "last_line",
    "load_entry_point",
    "load_json",
    "load_json_each",
    "magics_loaded",
    "main_thread_soon",
    "mask",
    "masked_fields",
    "masked_url",
    "masked_urls",
    "message_limit",
    "one_line",
    "other_origin",
    "plain_number",
    "printable",
    "redirected_to",
    "remember",
    "remember_named",
    "remember_url",
    "run_in_daemon_thread",
    "say",
    "say_once",
    "says_magic",
    "seconds_between",
    "set_main_thread_scheduler",
    "show_runs",
    "too_many_bytes",
    "truncate",
    "truncate_end",
    "unpacked",
    "unwrap_fields",
    "unwrapped",
    "utc_now",
    "utf8_safe",
    "uuid7",
    "within",
]
