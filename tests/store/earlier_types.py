"""What the agents of `a86bf71.tar.gz` answered with and called: as it was when that record was made. Never edited."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from nbagent import tool


class City(BaseModel):
    name: str
    people: int = Field(alias="population")


class Poll(BaseModel):
    share: float

    @field_validator("share")
    @classmethod
    def fraction(cls, value: float) -> float:
        return value / 100


class Price(BaseModel):
    price: float

    @field_validator("price", mode="before")
    @classmethod
    def number(cls, value: Any) -> float:
        return float(value.replace("$", "").replace(",", ""))


class Scratch(BaseModel):
    reasoning: str = Field(exclude=True)
    answer: int


class Login(BaseModel):
    user: str
    password: SecretStr


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    legs: int


def price(symbol: str) -> float:
    """Say what a share costs."""
    return {"A": 1.5}.get(symbol, 2.5)


@tool(requires_approval=True)
def pay(amount: int) -> str:
    """Pay an amount in dollars."""
    return f"paid {amount} dollars"


TYPED: dict[str, tuple[Any, str]] = {
    "poll": (Poll, '{"share": 50}'),
    "price": (Price, 'Here:\n```json\n{"price": "$1,200.50"}\n```'),
    "scratch": (Scratch, '{"reasoning": "2+2", "answer": 4}'),
    "login": (Login, '{"user": "ann", "password": "hunter2"}'),
    "cities": (list[City], '{"items": [{"name": "Rome", "population": 3}]}'),
    "pet": (Cat | Dog, '{"value": {"kind": "dog", "legs": 4}}'),
    "counts": (dict[str, int], '{"a": 1}'),
    "plain": ({"type": "object", "properties": {"a": {"type": "integer"}}}, '{"a": 1}'),
}
