"""Cities, and what the story says of them."""

from dataclasses import dataclass

# City, country, dialling code, share of customers; the shares need not add up to anything.
_CITIES = """
London|United Kingdom|44|96
Paris|France|33|88
Berlin|Germany|49|80
Madrid|Spain|34|62
Rome|Italy|39|54
Amsterdam|Netherlands|31|50
Vienna|Austria|43|44
Barcelona|Spain|34|44
Munich|Germany|49|42
Hamburg|Germany|49|40
Milan|Italy|39|40
Stockholm|Sweden|46|36
Copenhagen|Denmark|45|34
Lyon|France|33|34
Brussels|Belgium|32|32
Dublin|Ireland|353|30
Manchester|United Kingdom|44|30
Lisbon|Portugal|351|30
Zurich|Switzerland|41|28
Prague|Czechia|420|28
Warsaw|Poland|48|28
Oslo|Norway|47|26
Rotterdam|Netherlands|31|26
Helsinki|Finland|358|24
Leeds|United Kingdom|44|24
Cologne|Germany|49|24
Porto|Portugal|351|22
Marseille|France|33|22
Naples|Italy|39|22
Kraków|Poland|48|20
Budapest|Hungary|36|20
Antwerp|Belgium|32|18
Frankfurt|Germany|49|18
Gothenburg|Sweden|46|16
Valencia|Spain|34|16
Birmingham|United Kingdom|44|16
Toulouse|France|33|15
Glasgow|United Kingdom|44|14
Graz|Austria|43|13
Geneva|Switzerland|41|13
Utrecht|Netherlands|31|13
Turin|Italy|39|12
Seville|Spain|34|12
Brno|Czechia|420|11
Aarhus|Denmark|45|11
Bergen|Norway|47|10
Bordeaux|France|33|10
Leipzig|Germany|49|10
Gdańsk|Poland|48|10
Cork|Ireland|353|9
Bristol|United Kingdom|44|9
Ghent|Belgium|32|8
Tampere|Finland|358|8
Bologna|Italy|39|8
Málaga|Spain|34|7
Basel|Switzerland|41|7
Malmö|Sweden|46|7
Nantes|France|33|6
Salzburg|Austria|43|6
Braga|Portugal|351|5
"""

# The share of last quarter's orders that these cities lost.
LOSSES = {"Lyon": 0.46, "Porto": 0.41, "Leeds": 0.38, "Rotterdam": 0.31, "Kraków": 0.27}
# How much likelier a return is here than elsewhere.
RETURN_FACTORS = {"Lyon": 3.4, "Porto": 2.8, "Leeds": 2.6, "Naples": 2.2, "Rotterdam": 2.0}


@dataclass(frozen=True, slots=True)
class City:
    """A city and its share of customers."""

    name: str
    country: str
    dialling: str
    weight: float


def _parse() -> tuple[City, ...]:
    cities = []
    for line in _CITIES.strip().splitlines():
        name, country, dialling, weight = line.split("|")
        cities.append(City(name, country, dialling, float(weight)))
    return tuple(cities)


CITIES = _parse()
