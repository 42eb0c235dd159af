"""Answers questions of fact in a sentence each: geography, single facts, sums.

Used by `brain.py`; pure, any thread.
"""

from __future__ import annotations

import re
from typing import Final

from nbagent.demo.arithmetic import evaluate, find_expression
from nbagent.demo.facts import (
    bare,
    city_fields,
    country_fields,
    describe_city,
    find_fact,
    millions,
    names_of,
    with_article,
    year,
)
from nbagent.demo.geography import CITIES, COUNTRIES

_SENTENCE: Final = re.compile(r"[^.?!\n]+(?:[.](?=\w)[^.?!\n]*)*[.?!]*")
# the words of a question -> the field that it asks for
_ASKS: Final[tuple[tuple[str, str], ...]] = (
    (r"capital", "capital"),
    (r"population|people|inhabitants|how (big|large|many)", "population"),
    (r"currency|money", "currency"),
    (r"language|speak|spoken", "language"),
    (r"continent", "continent"),
    (r"river", "river"),
    (r"landmark|sight|monument", "landmark"),
    (r"founded|how old|established", "founded"),
    (r"known for|famous for", "known_for"),
    (r"time ?zone", "timezone"),
    (r"\barea\b|square kilomet", "area_km2"),
    (r"(what|which|in) country|where is", "country"),
    (r"fun fact|interesting fact", "fun_fact"),
)
_LARGER: Final = re.compile(r"\b(bigger|larger|more (people|inhabitants)|largest|biggest|oldest)\b", re.I)
_ABOUT: Final = re.compile(
    r"\b(facts?|tell me|about|describe|know|introduce|summar|compare|overview|guide|visit|why)\b"
    r"|^\W*(what|where) is\b|^\W*\w+( \w+)?\W*$",
    re.I,
)


def sentences(text: str) -> list[str]:
    """Split a text into its sentences, without the blanks around them."""
    return [found.strip() for found in _SENTENCE.findall(text) if found.strip(" \n.?!")]


def answer_questions(prompt: str) -> str | None:
    """Answer each question of a prompt in order, or give None if none is known."""
    answers: list[str] = []
    for sentence in sentences(prompt):
        for answer in answer_sentence(sentence):
            if answer not in answers:
                answers.append(answer)
    if len(answers) == 1 and re.search(r"\b(one|a single) (short )?(sentence|line)\b", prompt, re.I):
        return sentences(answers[0])[0]
    return " ".join(answers) or None


def about_places(prompt: str) -> str | None:
    """Say what is known about the cities, countries and landmarks that a prompt names."""
    cities = names_of(prompt, "city")
    cities += [c.name for c in CITIES.values() if c.landmark in prompt and c.name not in cities]
    countries = [] if cities else names_of(prompt, "country")
    said = [*map(_about_city, cities), *map(_about_country, countries)]
    return "What this demo model knows: " + " ".join(said) if said else None


def answer_sentence(sentence: str) -> list[str]:
    """Answer one sentence: a sum, a fact, or something about each place named."""
    expression = find_expression(sentence)
    if expression is not None and (value := evaluate(expression)) is not None:
        shown = re.sub(r"(?<=\d)(?=(\d{3})+(?!\d))", ",", str(value)) if isinstance(value, int) else value
        return [f"{expression} = {shown}."]
    fact = find_fact(sentence)
    cities, countries = names_of(sentence, "city"), names_of(sentence, "country")
    if fact is not None and not cities and not countries:
        return [fact.sentence]
    if _LARGER.search(sentence):
        return _larger(cities or countries)
    fields = [field for pattern, field in _ASKS if re.search(pattern, sentence, re.I)]
    if fields and countries and _about_countries(fields, cities):
        return [s for name in countries for f in fields if (s := _of_country(name, f))]
    if fields and cities:
        return [s for name in cities for f in fields if (s := _of_city(name, f))]
    if _ABOUT.search(sentence):
        return [_about_city(name) for name in cities] or [_about_country(n) for n in countries]
    return []


def _larger(names: list[str]) -> list[str]:
    """Say which of several cities or countries has most people; one alone cannot be compared."""
    people = [
        (CITIES[name].population if name in CITIES else COUNTRIES[name].population, name)
        for name in names
        if name in CITIES or name in COUNTRIES
    ]
    if len(people) < 2:
        return []
    (most, first), *others = sorted(people, reverse=True)
    rest = ", ".join(f"{millions(number)} in {with_article(name)}" for number, name in others)
    return [f"{_start(with_article(first))} is larger, with about {millions(most)} people against {rest}."]


def _about_countries(fields: list[str], cities: list[str]) -> bool:
    return "capital" in fields or not cities


def _of_country(name: str, field: str) -> str | None:
    country, the_country = COUNTRIES[name], with_article(name)
    match field:
        case "capital":
            return f"The capital of {the_country} is {country.capital.rstrip('.')}."
        case "population":
            return f"{_start(the_country)} has about {millions(country.population)} people."
        case "currency":
            return f"The currency of {the_country} is the {country.currency}."
        case "language":
            return f"The main language of {the_country} is {country.language}."
        case "continent" | "country":
            return f"{_start(the_country)} is in {country.continent}."
        case _:
            return None


def _of_city(name: str, field: str) -> str | None:
    known = city_fields(name)
    country = with_article(known["country"])
    if field in ("currency", "language", "continent"):
        if field == "continent":
            return f"{name} is in {known['continent']}."
        return f"The {field} of {name} is {'the ' if field == 'currency' else ''}{known[field]}."
    if field == "country":
        return f"{name} is in {country}."
    if field == "capital":
        is_capital = known["is_capital"]
        return f"{name} is {'' if is_capital else 'not '}the capital of {country}."
    city = CITIES.get(name)
    if city is None:
        return None
    said = {
        "population": f"{name} has about {millions(city.population)} people.",
        "river": f"{name} lies on the {city.river}.",
        "landmark": f"The best-known landmark of {name} is the {bare(city.landmark)}.",
        "founded": f"{name} was founded {year(city.founded)}.",
        "known_for": f"{name} is known for {city.known_for}.",
        "timezone": f"{name} is in the time zone {city.timezone}.",
        "area_km2": f"{name} covers about {city.area_km2:,} square kilometres.",
        "fun_fact": f"{city.fun_fact}.",
    }
    return said.get(field)


def _about_city(name: str) -> str:
    city = CITIES.get(name)
    return describe_city(city) if city else f"{city_fields(name)['description']}"


def _about_country(name: str) -> str:
    country = COUNTRIES[name]
    return (
        f"{country_fields(name)['description']} It is in {country.continent}, has about "
        f"{millions(country.population)} people, its main language is {country.language}, "
        f"and its currency is the {country.currency}."
    )


def _start(text: str) -> str:
    return text[:1].upper() + text[1:]
