"""What the demo model knows: single facts, and finding known things in a text.

Read by the brain (`questions.py`, `schema_values.py`, `tool_choice.py`); pure, any thread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any, Final

from nbagent.demo.geography import CITIES, CITY_ALIASES, COUNTRIES, COUNTRY_ALIASES, City

TICKERS: Final[dict[str, str]] = {
    "apple": "AAPL",
    "microsoft": "MSFT",
    "amazon": "AMZN",
    "ibm": "IBM",
    "google": "GOOG",
    "alphabet": "GOOG",
    "nvidia": "NVDA",
    "tesla": "TSLA",
    "meta": "META",
    "netflix": "NFLX",
    "intel": "INTC",
}
_NOT_TICKERS: Final = frozenset(
    "A I AI AN AND API ARE CEO CSV DNA EU FAQ GDP GPU HTML HTTP ID IT JSON LLM NO NOT OK OR PDF "
    "SQL THE TO UK UN URL US USA USD UTC XML YES YOU EUR GBP ETF IPO NASDAQ NYSE Q1 Q2 Q3 Q4 "
    "MUST DO NOTE ONLY ALL TODO STOP".split()
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact: words that must all be asked for (`|` parts alternatives), sentence, fields."""

    words: str
    sentence: str
    fields: dict[str, Any]


def _f(words: str, sentence: str, **fields: Any) -> Fact:
    return Fact(words, sentence, fields)


FACTS: Final[tuple[Fact, ...]] = (
    _f("tallest|highest mountain|peak", "The tallest mountain on Earth is Mount Everest, at 8,849 metres.",
       name="Mount Everest", mountain="Mount Everest", height_m=8849, elevation_m=8849, location="Nepal and China", value=8849, unit="m"),
    _f("everest high|height|tall|elevation", "Mount Everest is 8,849 metres high.",
       name="Mount Everest", mountain="Mount Everest", height_m=8849, elevation_m=8849, location="Nepal and China", value=8849, unit="m"),
    _f("deepest|depth|deep trench|ocean|sea|mariana", "The deepest ocean trench is the Mariana Trench, about 10,935 metres deep, in the western Pacific Ocean.",
       name="Mariana Trench", trench="Mariana Trench", depth_m=10935, ocean="Pacific Ocean", location="western Pacific Ocean", value=10935, unit="m"),
    _f("longest river", "The longest river in the world is the Nile, about 6,650 kilometres long.",
       name="Nile", river="Nile", length_km=6650, continent="Africa", location="northeastern Africa", value=6650, unit="km"),
    _f("largest|biggest ocean", "The largest ocean is the Pacific Ocean, about 165 million square kilometres.",
       name="Pacific Ocean", ocean="Pacific Ocean", area_km2=165_000_000, value=165_000_000, unit="km2"),
    _f("smallest ocean", "The smallest ocean is the Arctic Ocean, about 14 million square kilometres.",
       name="Arctic Ocean", ocean="Arctic Ocean", area_km2=14_000_000, value=14_000_000, unit="km2"),
    _f("largest|biggest hot desert", "The largest hot desert is the Sahara, about 9.2 million square kilometres.",
       name="Sahara", desert="Sahara", area_km2=9_200_000, continent="Africa", value=9_200_000, unit="km2"),
    _f("largest|biggest desert", "The largest desert is the Antarctic, about 14 million square kilometres; the largest hot desert is the Sahara.",
       name="Antarctic Desert", desert="Antarctic Desert", area_km2=14_000_000, continent="Antarctica", value=14_000_000, unit="km2"),
    _f("largest|biggest country area|world|land|earth|", "The largest country by area is Russia, about 17.1 million square kilometres.",
       name="Russia", country="Russia", area_km2=17_100_000, value=17_100_000, unit="km2"),
    _f("smallest country", "The smallest country is Vatican City, about 0.49 square kilometres.",
       name="Vatican City", country="Vatican City", area_km2=0.49, value=0.49, unit="km2"),
    _f("populous|populated country", "The most populous country is India, with about 1.44 billion people.",
       name="India", country="India", population=1_440_000_000, value=1_440_000_000),
    _f("largest|biggest island", "The largest island is Greenland, about 2.17 million square kilometres.",
       name="Greenland", island="Greenland", area_km2=2_170_000, value=2_170_000, unit="km2"),
    _f("largest|biggest lake", "The largest lake by area is the Caspian Sea, about 371,000 square kilometres.",
       name="Caspian Sea", lake="Caspian Sea", area_km2=371_000, value=371_000, unit="km2"),
    _f("deepest lake", "The deepest lake is Lake Baikal in Russia, about 1,642 metres deep.",
       name="Lake Baikal", lake="Lake Baikal", depth_m=1642, country="Russia", value=1642, unit="m"),
    _f("largest|biggest continent", "The largest continent is Asia.", name="Asia", continent="Asia", area_km2=44_600_000),
    _f("smallest continent", "The smallest continent is Australia.", name="Australia", continent="Australia", area_km2=7_700_000),
    _f("tallest|highest building", "The tallest building in the world is the Burj Khalifa in Dubai, at 828 metres.",
       name="Burj Khalifa", building="Burj Khalifa", height_m=828, location="Dubai", value=828, unit="m"),
    _f("tallest|highest waterfall", "The tallest waterfall is Angel Falls in Venezuela, at 979 metres.",
       name="Angel Falls", waterfall="Angel Falls", height_m=979, country="Venezuela", value=979, unit="m"),
    _f("largest|biggest animal", "The largest animal is the blue whale.", name="blue whale", animal="blue whale", length_m=30),
    _f("fastest animal", "The fastest animal is the peregrine falcon, above 320 kilometres per hour in a dive.",
       name="peregrine falcon", animal="peregrine falcon", speed_kmh=320),
    _f("largest|biggest planet", "The largest planet in the Solar System is Jupiter.", name="Jupiter", planet="Jupiter", diameter_km=139_820),
    _f("smallest planet", "The smallest planet in the Solar System is Mercury.", name="Mercury", planet="Mercury", diameter_km=4879),
    _f("closest|nearest planet sun", "The planet closest to the Sun is Mercury.", name="Mercury", planet="Mercury"),
    _f("many planets", "There are eight planets in the Solar System.", value=8, count=8),
    _f("many continents", "There are seven continents.", value=7, count=7),
    _f("speed light", "The speed of light in a vacuum is 299,792,458 metres per second.", value=299_792_458, unit="m/s", speed_m_s=299_792_458),
    _f("speed sound", "The speed of sound in air is about 343 metres per second.", value=343, unit="m/s", speed_m_s=343),
    _f("boiling|boil water", "Water boils at 100 degrees Celsius at sea level.", value=100, unit="°C", temperature_c=100),
    _f("freezing|freeze water", "Water freezes at 0 degrees Celsius.", value=0, unit="°C", temperature_c=0),
    _f("distance|far moon", "The Moon is about 384,400 kilometres from the Earth.", value=384_400, unit="km", distance_km=384_400),
    _f("distance|far sun", "The Sun is about 149.6 million kilometres from the Earth.", value=149_600_000, unit="km", distance_km=149_600_000),
    _f("first moon", "Neil Armstrong was the first person on the Moon, in 1969.", name="Neil Armstrong", year=1969),
    _f("painted mona lisa", "Leonardo da Vinci painted the Mona Lisa.", name="Leonardo da Vinci", artist="Leonardo da Vinci"),
    _f("wrote|author|written hamlet", "William Shakespeare wrote Hamlet.", name="William Shakespeare", author="William Shakespeare"),
    _f("wrote|author|written 1984", "George Orwell wrote 1984.", name="George Orwell", author="George Orwell"),
    _f("created|invented|made python", "Guido van Rossum created Python; it first appeared in 1991.", name="Guido van Rossum", year=1991),
    _f("invented telephone", "Alexander Graham Bell is credited with inventing the telephone.", name="Alexander Graham Bell", year=1876),
    _f("formula|symbol water", "The chemical formula of water is H2O.", value="H2O", formula="H2O"),
    _f("symbol gold", "The chemical symbol of gold is Au.", value="Au", symbol="Au"),
    _f("value|digits pi", "Pi is about 3.14159.", value=3.14159),
    _f("many days year", "A year has 365 days, and a leap year 366.", value=365, count=365),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entity:
    """A known thing found in a text: its kind, its canonical name and where it stands."""

    kind: str
    name: str
    start: int
    end: int


@cache
def _patterns() -> tuple[tuple[str, dict[str, str], re.Pattern[str]], ...]:
    cities = {name.lower(): name for name in CITIES} | CITY_ALIASES
    cities |= {c.capital.lower(): c.capital for c in COUNTRIES.values()}
    countries = {name.lower(): name for name in COUNTRIES} | COUNTRY_ALIASES
    tables = (("city", cities), ("country", countries), ("ticker", TICKERS))
    return tuple((kind, names, _any_of(names)) for kind, names in tables)


def _any_of(names: dict[str, str]) -> re.Pattern[str]:
    longest_first = sorted(names, key=len, reverse=True)
    return re.compile(r"(?<!\w)(" + "|".join(map(re.escape, longest_first)) + r")(?!\w)", re.IGNORECASE)


def entities(text: str, kind: str) -> list[Entity]:
    """Find the known things of one kind ("city", "country", "ticker") in order, each once."""
    found: list[Entity] = []
    if kind == "country":
        shorts = re.finditer(r"(?<!\w)(?:US|U\.S\.)(?!\w)", text)  # not the word "us"
        found += [Entity(kind, "United States", m.start(), m.end()) for m in shorts]
    for a_kind, names, pattern in _patterns():
        if a_kind == kind:
            found += [Entity(kind, names[m[1].lower()], m.start(), m.end()) for m in pattern.finditer(text)]
    if kind == "ticker":
        symbols = re.finditer(r"(?<![\w.])\$?([A-Z]{2,5})(?![\w])", text)
        found += [
            Entity(kind, m[1], m.start(), m.end())
            for m in symbols
            if m[1] not in _NOT_TICKERS and m[1].lower() not in TICKERS
        ]
    once: dict[str, Entity] = {}
    for entity in sorted(found, key=lambda e: e.start):
        once.setdefault(entity.name, entity)
    return list(once.values())


def names_of(text: str, kind: str) -> list[str]:
    """Name the known things of one kind in a text, in order, each once."""
    return [entity.name for entity in entities(text, kind)]


def find_fact(question: str) -> Fact | None:
    """Give the single fact that a question asks for, or None."""
    words = set(re.findall(r"\w+", question.lower()))
    for fact in FACTS:
        if all(words & set(group.split("|")) or group.endswith("|") for group in fact.words.split()):
            return fact
    return None


def city_fields(name: str) -> dict[str, Any]:
    """Give the fields known about a city, its country's currency and language included."""
    city = CITIES.get(name)
    if city is None:
        return _capital_fields(name)
    country = COUNTRIES[city.country]
    return {
        "name": city.name,
        "city": city.name,
        "country": city.country,
        "continent": country.continent,
        "population": city.population,
        "area_km2": city.area_km2,
        "river": city.river,
        "founded": city.founded,
        "founded_year": city.founded,
        "landmark": city.landmark,
        "landmarks": [city.landmark],
        "known_for": city.known_for,
        "fun_fact": city.fun_fact,
        "fact": city.fun_fact,
        "facts": [city.fun_fact, f"{city.name} is known for {city.known_for}"],
        "latitude": city.latitude,
        "lat": city.latitude,
        "longitude": city.longitude,
        "lon": city.longitude,
        "timezone": city.timezone,
        "currency": country.currency,
        "language": country.language,
        "languages": [country.language],
        "is_capital": country.capital == city.name,
        "capital": country.capital,
        "description": describe_city(city),
        "summary": describe_city(city),
    }


def _capital_fields(name: str) -> dict[str, Any]:
    for country in COUNTRIES.values():
        if country.capital == name:
            of_country = country_fields(country.name)
            del of_country["population"]  # the country's, not the city's
            sentence = f"{name} is the capital of {with_article(country.name)}."
            said = {"description": sentence, "summary": sentence, "fun_fact": sentence}
            return of_country | {"name": name, "city": name, "is_capital": True} | said
    return {}


def country_fields(name: str) -> dict[str, Any]:
    """Give the fields known about a country."""
    country = COUNTRIES[name]
    sentence = f"The capital of {with_article(name)} is {country.capital}."
    return {
        "name": name,
        "country": name,
        "capital": country.capital,
        "capital_city": country.capital,
        "continent": country.continent,
        "currency": country.currency,
        "language": country.language,
        "languages": [country.language],
        "population": country.population,
        "description": sentence,
        "summary": sentence,
    }


def describe_city(city: City) -> str:
    """Say in a few sentences what is known about a city."""
    country = COUNTRIES[city.country]
    capital = "the capital of" if country.capital == city.name else "a city in"
    river = "" if city.river == "none" else f" on the {city.river}"
    return (
        f"{city.name} is {capital} {with_article(city.country)}{river}, "
        f"with about {millions(city.population)} people. It was founded {year(city.founded)}, "
        f"is known for {city.known_for}, and its best-known landmark is the {bare(city.landmark)}. "
        f"{city.fun_fact}."
    )


def with_article(country: str) -> str:
    """Write a country's name as it stands in a sentence: "the Netherlands"."""
    plural = country.startswith("United ") or country in ("Netherlands", "Philippines")
    return f"the {country}" if plural else country


def bare(landmark: str) -> str:
    """Take a leading article off a landmark's name."""
    return landmark.removeprefix("The ")


def millions(people: int) -> str:
    """Write a number of people: "14.1 million"."""
    if people >= 1_000_000_000:
        return f"{people / 1e9:.2f}".rstrip("0").rstrip(".") + " billion"
    if people >= 1_000_000:
        return f"{people / 1e6:.1f}".removesuffix(".0") + " million"
    return f"{people:,}"


def year(founded: int) -> str:
    """Write a year in a sentence: "in 1624", "around 250 BC"."""
    return f"around {-founded} BC" if founded < 0 else f"in {founded}"
