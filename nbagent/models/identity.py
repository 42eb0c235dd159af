"""What tells one model from another, as data: by it answers are found again. Used from any thread."""

from __future__ import annotations

from nbagent.models.protocol import Model


def model_identity(model: Model) -> list[str | None]:
    """Return provider, id, kind and address: two servers that call their model alike are two models.

    The kind is the wire format that it speaks, or the class of a model of somebody else's. The address is the base URL
    without user and password, with a deployment's path or query; None where the provider's own server is started on
    this machine, and for models that tell none (`address`).
    """
    wire = getattr(getattr(model, "wire", None), "name", None)
    address = getattr(model, "address", None)
    return [
        model.provider,
        model.id,
        wire or type(model).__qualname__,
        address if isinstance(address, str) else None,
    ]
