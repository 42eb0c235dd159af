"""What the demo model knows about countries and cities: plain tables, read by `facts.py`.

Figures are rounded, public knowledge; city populations are those of the city proper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Country:
    """A country; `population` counts people."""

    name: str
    capital: str
    continent: str
    currency: str
    language: str
    population: int


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A city; `population` counts people, `founded` is a year (negative before our era)."""

    name: str
    country: str
    population: int
    area_km2: int
    river: str
    founded: int
    landmark: str
    known_for: str
    fun_fact: str
    latitude: float
    longitude: float
    timezone: str


# name | capital | continent | currency | language | population in millions
_COUNTRY_ROWS: Final = """
Argentina|Buenos Aires|South America|Argentine peso|Spanish|46
Australia|Canberra|Oceania|Australian dollar|English|27
Austria|Vienna|Europe|euro|German|9.2
Bangladesh|Dhaka|Asia|taka|Bengali|173
Belgium|Brussels|Europe|euro|Dutch|11.8
Bolivia|Sucre|South America|boliviano|Spanish|12
Brazil|Brasília|South America|real|Portuguese|212
Bulgaria|Sofia|Europe|euro|Bulgarian|6.4
Canada|Ottawa|North America|Canadian dollar|English|41
Chile|Santiago|South America|Chilean peso|Spanish|20
China|Beijing|Asia|renminbi|Mandarin Chinese|1410
Colombia|Bogotá|South America|Colombian peso|Spanish|53
Costa Rica|San José|North America|colón|Spanish|5.1
Croatia|Zagreb|Europe|euro|Croatian|3.9
Cuba|Havana|North America|Cuban peso|Spanish|11
Czechia|Prague|Europe|Czech koruna|Czech|10.9
Denmark|Copenhagen|Europe|Danish krone|Danish|6
Ecuador|Quito|South America|US dollar|Spanish|18
Egypt|Cairo|Africa|Egyptian pound|Arabic|107
Estonia|Tallinn|Europe|euro|Estonian|1.4
Ethiopia|Addis Ababa|Africa|birr|Amharic|130
Finland|Helsinki|Europe|euro|Finnish|5.6
France|Paris|Europe|euro|French|68
Germany|Berlin|Europe|euro|German|84
Ghana|Accra|Africa|cedi|English|34
Greece|Athens|Europe|euro|Greek|10.4
Hungary|Budapest|Europe|forint|Hungarian|9.6
Iceland|Reykjavík|Europe|króna|Icelandic|0.39
India|New Delhi|Asia|Indian rupee|Hindi|1440
Indonesia|Jakarta|Asia|rupiah|Indonesian|281
Iran|Tehran|Asia|Iranian rial|Persian|90
Iraq|Baghdad|Asia|Iraqi dinar|Arabic|45
Ireland|Dublin|Europe|euro|English|5.3
Israel|Jerusalem|Asia|new shekel|Hebrew|9.9
Italy|Rome|Europe|euro|Italian|59
Jamaica|Kingston|North America|Jamaican dollar|English|2.8
Japan|Tokyo|Asia|yen|Japanese|124
Jordan|Amman|Asia|Jordanian dinar|Arabic|11
Kenya|Nairobi|Africa|Kenyan shilling|Swahili|56
Latvia|Riga|Europe|euro|Latvian|1.9
Lithuania|Vilnius|Europe|euro|Lithuanian|2.9
Luxembourg|Luxembourg|Europe|euro|Luxembourgish|0.67
Malaysia|Kuala Lumpur|Asia|ringgit|Malay|34
Mexico|Mexico City|North America|Mexican peso|Spanish|130
Mongolia|Ulaanbaatar|Asia|tögrög|Mongolian|3.5
Morocco|Rabat|Africa|Moroccan dirham|Arabic|37
Nepal|Kathmandu|Asia|Nepalese rupee|Nepali|30
Netherlands|Amsterdam|Europe|euro|Dutch|18
New Zealand|Wellington|Oceania|New Zealand dollar|English|5.3
Nigeria|Abuja|Africa|naira|English|228
Norway|Oslo|Europe|Norwegian krone|Norwegian|5.6
Pakistan|Islamabad|Asia|Pakistani rupee|Urdu|245
Peru|Lima|South America|sol|Spanish|34
Philippines|Manila|Asia|Philippine peso|Filipino|115
Poland|Warsaw|Europe|złoty|Polish|38
Portugal|Lisbon|Europe|euro|Portuguese|10.6
Romania|Bucharest|Europe|leu|Romanian|19
Russia|Moscow|Europe|ruble|Russian|144
Saudi Arabia|Riyadh|Asia|Saudi riyal|Arabic|35
Serbia|Belgrade|Europe|Serbian dinar|Serbian|6.6
Singapore|Singapore|Asia|Singapore dollar|English|6
Slovakia|Bratislava|Europe|euro|Slovak|5.4
Slovenia|Ljubljana|Europe|euro|Slovene|2.1
South Africa|Pretoria|Africa|rand|Zulu|63
South Korea|Seoul|Asia|won|Korean|52
Spain|Madrid|Europe|euro|Spanish|49
Sweden|Stockholm|Europe|Swedish krona|Swedish|10.6
Switzerland|Bern|Europe|Swiss franc|German|9
Thailand|Bangkok|Asia|baht|Thai|66
Tunisia|Tunis|Africa|Tunisian dinar|Arabic|12
Turkey|Ankara|Asia|lira|Turkish|85
Ukraine|Kyiv|Europe|hryvnia|Ukrainian|38
United Arab Emirates|Abu Dhabi|Asia|dirham|Arabic|10
United Kingdom|London|Europe|pound sterling|English|69
United States|Washington, D.C.|North America|US dollar|English|340
Uruguay|Montevideo|South America|Uruguayan peso|Spanish|3.4
Vietnam|Hanoi|Asia|đồng|Vietnamese|101
"""

# name | country | population | km2 | river | founded | landmark | known for | fun fact | lat | lon | zone
_CITY_ROWS: Final = """
Tokyo|Japan|14100000|2194|Sumida|1457|Tokyo Tower|technology, food and neon-lit streets|Tokyo has more Michelin stars than any other city|35.68|139.69|Asia/Tokyo
Paris|France|2100000|105|Seine|-250|Eiffel Tower|art, fashion and cafés|The Eiffel Tower grows about 15 centimetres taller in summer heat|48.86|2.35|Europe/Paris
New York|United States|8300000|778|Hudson|1624|Statue of Liberty|finance, theatre and skyscrapers|More than 700 languages are spoken in New York|40.71|-74.01|America/New_York
London|United Kingdom|8900000|1572|Thames|47|Tower Bridge|history, theatre and finance|The London Underground is the oldest metro in the world|51.51|-0.13|Europe/London
Berlin|Germany|3700000|892|Spree|1237|Brandenburg Gate|museums, music and modern history|Berlin has more bridges than Venice|52.52|13.40|Europe/Berlin
Rome|Italy|2800000|1285|Tiber|-753|Colosseum|ancient history and food|Rome surrounds an entire country, Vatican City|41.90|12.50|Europe/Rome
Madrid|Spain|3300000|604|Manzanares|852|Royal Palace|art museums and lively evenings|Madrid is home to one of the oldest restaurants in the world|40.42|-3.70|Europe/Madrid
Beijing|China|21900000|16411|Yongding|-1045|Forbidden City|imperial palaces and history|The Forbidden City has more than 8,000 rooms|39.90|116.41|Asia/Shanghai
Shanghai|China|24900000|6341|Huangpu|1291|The Bund|trade, finance and its skyline|Shanghai runs one of the fastest magnetic trains in the world|31.23|121.47|Asia/Shanghai
Sydney|Australia|5300000|12368|Parramatta|1788|Sydney Opera House|its harbour and beaches|The Sydney Opera House has more than a million roof tiles|-33.87|151.21|Australia/Sydney
Cairo|Egypt|10200000|606|Nile|969|Pyramids of Giza|ancient monuments and bazaars|The last standing ancient wonder is on the edge of Cairo|30.04|31.24|Africa/Cairo
Mumbai|India|12500000|603|Mithi|1507|Gateway of India|film and finance|Mumbai was built on seven islands|19.08|72.88|Asia/Kolkata
São Paulo|Brazil|11500000|1521|Tietê|1554|São Paulo Museum of Art|business and food|São Paulo has one of the largest helicopter fleets of any city|-23.55|-46.63|America/Sao_Paulo
Toronto|Canada|2800000|631|Don|1793|CN Tower|its diversity and its skyline|About half of Toronto's people were born outside Canada|43.65|-79.38|America/Toronto
San Francisco|United States|810000|121|none|1776|Golden Gate Bridge|technology and steep hills|San Francisco's cable cars are a moving national landmark|37.77|-122.42|America/Los_Angeles
Singapore|Singapore|6000000|735|Singapore River|1819|Marina Bay Sands|trade, gardens and food|Singapore is a city, an island and a country at once|1.35|103.82|Asia/Singapore
Vienna|Austria|2000000|415|Danube|15|Schönbrunn Palace|classical music and coffee houses|Vienna has vineyards inside the city|48.21|16.37|Europe/Vienna
Amsterdam|Netherlands|930000|219|Amstel|1275|Rijksmuseum|canals and bicycles|Amsterdam has more bicycles than people|52.37|4.90|Europe/Amsterdam
"""


def _countries() -> dict[str, Country]:
    rows = (line.split("|") for line in _COUNTRY_ROWS.strip().splitlines())
    return {
        name: Country(
            name=name,
            capital=capital,
            continent=continent,
            currency=currency,
            language=language,
            population=round(float(millions) * 1_000_000),
        )
        for name, capital, continent, currency, language, millions in rows
    }


def _city(line: str) -> City:
    name, country, people, area, river, founded, *rest = line.split("|")
    landmark, known_for, fun_fact, latitude, longitude, timezone = rest
    return City(
        name=name,
        country=country,
        population=int(people),
        area_km2=int(area),
        river=river,
        founded=int(founded),
        landmark=landmark,
        known_for=known_for,
        fun_fact=fun_fact,
        latitude=float(latitude),
        longitude=float(longitude),
        timezone=timezone,
    )


COUNTRIES: Final[dict[str, Country]] = _countries()
CITIES: Final[dict[str, City]] = {city.name: city for city in map(_city, _CITY_ROWS.strip().splitlines())}

COUNTRY_ALIASES: Final[dict[str, str]] = {
    "usa": "United States",
    "america": "United States",
    "united states of america": "United States",
    "uk": "United Kingdom",
    "great britain": "United Kingdom",
    "britain": "United Kingdom",
    "england": "United Kingdom",
    "czech republic": "Czechia",
    "holland": "Netherlands",
    "the netherlands": "Netherlands",
    "türkiye": "Turkey",
    "korea": "South Korea",
    "uae": "United Arab Emirates",
}
CITY_ALIASES: Final[dict[str, str]] = {
    "new york city": "New York",
    "nyc": "New York",
    "sao paulo": "São Paulo",
    "bombay": "Mumbai",
}
