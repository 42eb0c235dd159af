"""What can go wrong with a response that lives at its provider, and only there.

Used by `background.py`; pure. None of these is tried again by the loop: trying again would create a second one.
"""

from __future__ import annotations

from nbagent.errors import (
    ModelError,
    OutOfReachError,
    ProviderRefusedError,
    ProviderUnreachableError,
    QueueTimeoutError,
)
from nbagent.models.transport.errors import NOTHING_SENT, RequestTarget

# answers to a wish for the stream that mean: look at the response itself
NO_STREAM = frozenset({400, 404, 405, 406, 409, 410, 422, 501})
_PERHAPS_CREATED = frozenset({408, 502, 504})  # a gateway gave up on a server that may have got it


def was_perhaps_created(error: ModelError) -> bool:
    """True where the provider may have created a response although the create failed."""
    if error.status_code is not None:
        return error.status_code in _PERHAPS_CREATED
    return isinstance(error, ProviderUnreachableError) and NOTHING_SENT not in getattr(error, "__notes__", ())


def outcome_unknown(error: ModelError | None, target: RequestTarget) -> ModelError:
    """Return the error for a create without an answer."""
    why = f"; {error.what}" if error is not None else "; its stream ended before the response had an id"
    return OutOfReachError(
        f"whether provider {target.provider!r} created the background response is not known{why}",
        "look at the provider's own list before you launch it again: it may run there, and be paid for",
        status_code=error.status_code if error is not None else None,
    )


def expired(response_id: str, target: RequestTarget) -> ModelError:
    """Return the error for a response that the provider no longer has."""
    return ProviderRefusedError(
        f"provider {target.provider!r} no longer has response {response_id!r} (404): it has expired or was deleted",
        "launch the run again; the text that had come is kept",
        status_code=404,
    )


def detached(response_id: str, error: ModelError, seconds: float, target: RequestTarget) -> ModelError:
    """Return the error for a response that was out of reach for too long."""
    return OutOfReachError(
        f"response {response_id!r} at provider {target.provider!r} was out of reach for {seconds:g} s; {error.what}",
        "it may go on there: resume the run to attach to it again",
        status_code=error.status_code,
    )


def queue_timeout(response_id: str, seconds: float, target: RequestTarget) -> ModelError:
    """Return the error for a response that waited too long."""
    return QueueTimeoutError(
        f"response {response_id!r} waited for longer than {seconds:g} s in the queue of provider {target.provider!r}",
        "try again later, or allow more with OpenAIResponses(queued_timeout_s=...)",
    )
