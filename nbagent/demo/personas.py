"""The demo's models: one brain, five ways to behave. A table, and when each piece of text is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from nbagent.demo.request import BadRequestError


@dataclass(frozen=True, slots=True, kw_only=True)
class Persona:
    """A model of the demo: first piece after `first_s` seconds, then `per_s` pieces a second."""

    name: str
    first_s: float
    per_s: float
    note: str

    @property
    def label(self) -> str:
        """The name echoed in replies: it always says that this is a demo."""
        return f"demo-{self.name}"

    def due_s(self, index: int, speed: float) -> float:
        """Say when a piece is due, in seconds after the request came."""
        return (self.first_s + index / self.per_s) / speed


PERSONAS: Final[dict[str, Persona]] = {
    persona.name: persona
    for persona in (
        Persona(name="assistant", first_s=0.06, per_s=50, note="answers at a believable pace"),
        Persona(name="slow", first_s=0.4, per_s=8, note="the same answers, slowly"),
        Persona(name="flaky", first_s=0.06, per_s=50, note="429, then a dropped connection, then it answers"),
        Persona(name="badjson", first_s=0.06, per_s=50, note="its first structured reply is invalid"),
        Persona(name="failing", first_s=0.06, per_s=50, note="fails in the middle of every answer"),
    )
}


def find_persona(model: object) -> Persona:
    """Find a model by its id, with or without the demo's prefix.

    Raises:
        BadRequestError: no such model (404, `model_not_found`), or no model given (400).
    """
    if not isinstance(model, str) or not model:
        raise BadRequestError("you must provide a model parameter", param="model")
    persona = PERSONAS.get(model.removeprefix("demo:").removeprefix("demo-"))
    if persona is None:
        known = ", ".join(PERSONAS)
        raise BadRequestError(
            f"The model {model!r} does not exist; the demo server has {known}",
            status=404,
            code="model_not_found",
            param="model",
        )
    return persona
