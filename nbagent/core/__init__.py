"""Small things that every room may use: JSON, secrets, hints, threads, the clock, text for terminals."""

from nbagent.core.clock import seconds_between, utc_now, uuid7
from nbagent.core.hints import by_place, how_to_set, magics_loaded, says_magic, show_runs
from nbagent.core.json_codec import dump_json, load_json
from nbagent.core.message_limits import (
    LARGE,
    MessageTooLargeError,
    bound_json_body,
    check_message,
    cut_error_body,
    message_limit,
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
from nbagent.core.threads import (
    Soon,
    main_thread_soon,
    run_in_daemon_thread,
    set_main_thread_scheduler,
    within,
)

__all__ = [
    "LARGE",
    "MASK",
    "MessageTooLargeError",
    "PrintablePieces",
    "Soon",
    "bound_json_body",
    "by_place",
    "check_message",
    "cut_error_body",
    "dump_json",
    "how_to_set",
    "is_secret_name",
    "load_json",
    "magics_loaded",
    "main_thread_soon",
    "mask",
    "masked_fields",
    "masked_url",
    "masked_urls",
    "message_limit",
    "printable",
    "redirected_to",
    "remember",
    "remember_named",
    "remember_url",
    "run_in_daemon_thread",
    "says_magic",
    "seconds_between",
    "set_main_thread_scheduler",
    "show_runs",
    "too_many_bytes",
    "unpacked",
    "utc_now",
    "uuid7",
    "within",
]
