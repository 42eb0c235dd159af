"""Several models of which the next is asked where one cannot answer, as one model: `model=["a:x", "b:y"]`.

Made by `resolve_model` from a list, or from its names in one text: "a:x, b:y". The loop asks them one after the
other (`alternatives`), each with its own retries, limits, price and way of asking; all that is not a call sees
the first. Pure.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from nbagent.models.protocol import Model, ModelEvent, ModelRequest

SEPARATOR = ","


class FallbackModel:
    """Models in the order in which they are asked; `provider` and `id` are the first one's."""

    def __init__(self, models: Sequence[Model]) -> None:
        self.models = tuple(models)
        self.provider = self.models[0].provider
        self.id = self.models[0].id

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self.models))}]"

    @property
    def background(self) -> bool:
        """True where one of them is asked to live at its provider."""
        return any(getattr(one, "background", False) for one in self.models)

    def check(self) -> None:
        """Raise what the first of them raises that cannot be asked: one without a key would be no help later."""
        for one in self.models:
            one.check()

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent, None]:
        """Ask the first alone: who goes on to the next is the loop, which knows when."""
        return self.models[0].stream(request)


def alternatives(model: Model) -> tuple[Model, ...]:
    """Return the models that may be asked, the first first; of most models it is the model itself."""
    return model.models if isinstance(model, FallbackModel) else (model,)


def model_name(model: Model) -> str:
    """Return "provider:id", of several models in their order: what `resolve_model` makes the same again from."""
    return f"{SEPARATOR} ".join(f"{one.provider}:{one.id}" for one in alternatives(model))


def names_in(name: str) -> list[str]:
    """Return the names of a text that may hold several."""
    return [part.strip() for part in name.split(SEPARATOR)]
