"""Customers that never were: names by Faker from a seed, one in six of them Persian."""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from faker import Faker

from accounts.models import Location
from crm.models import Customer, Gender
from crm.normalisation.names import clean_text, search_key
from crm.normalisation.phones import certain_phone

# Numbers from 555-0100 to 555-0199 belong to nobody, in every area there is.
AREAS = tuple(area for area in range(201, 990) if certain_phone(f"+1{area}5550100", "US"))
CITIES = ("New York", "Brooklyn", "Queens", "Jersey City", "Hoboken", "Yonkers")
TAGS = ("vip", "student", "neighbour", "walk-in", "wedding")


@dataclass(frozen=True, slots=True)
class Habit:
    """How a kind of customer comes back: days between visits, and what part of them stopped coming."""

    share: float
    days: tuple[int, int]
    lapsed: float
    agrees: float


HABITS = {
    "devoted": Habit(0.22, (18, 32), 0.04, 0.93),
    "regular": Habit(0.38, (36, 70), 0.12, 0.86),
    "occasional": Habit(0.25, (90, 200), 0.20, 0.74),
    "once": Habit(0.15, (700, 900), 0.0, 0.58),
}


@dataclass(frozen=True, slots=True)
class Shopper:
    """A customer and the habit the history is written from."""

    customer: Customer
    habit: Habit
    joined_at: datetime
    left_at: datetime | None


def invent_people(*, count: int, now: datetime, locations: list[Location], chance: random.Random) -> list[Shopper]:
    """Customers not yet saved, each with a habit and a time they first came."""
    english, persian = Faker("en_US"), Faker("fa_IR")
    english.seed_instance(chance.random())
    persian.seed_instance(chance.random())
    return [_invent(number, now, locations, chance, english, persian) for number in range(1, count + 1)]


def _invent(number: int, now: datetime, locations: list[Location], chance: random.Random, english: Faker, persian: Faker) -> Shopper:
    habit = chance.choices(list(HABITS.values()), [habit.share for habit in HABITS.values()])[0]
    joined_at = now - timedelta(days=chance.triangular(1, 730, 600), hours=chance.random() * 9)
    left_at = None
    if chance.random() < habit.lapsed:
        left_at = joined_at + (now - joined_at) * chance.uniform(0.2, 0.85)
    is_persian = chance.random() < 1 / 6
    return Shopper(_customer(number, locations, chance, persian if is_persian else english, is_persian), habit, joined_at, left_at)


def _customer(number: int, locations: list[Location], chance: random.Random, faker: Faker, is_persian: bool) -> Customer:
    gender = chance.choices([Gender.MALE, Gender.FEMALE, ""], [62, 30, 8])[0]
    first = faker.first_name_female() if gender == Gender.FEMALE else faker.first_name_male()
    first, last = clean_text(first), clean_text(faker.last_name())
    return Customer(
        external_id=f"S{number:05d}",
        first_name=first,
        last_name=last,
        search_key=search_key(first, last),
        email=_email(number, first, last, chance),
        phone=f"+1{AREAS[number // 100 % len(AREAS)]}55501{number % 100:02d}" if chance.random() < 0.9 else "",
        birthday=date(chance.randint(1950, 2012), chance.randint(1, 12), chance.randint(1, 28)) if chance.random() < 0.7 else None,
        gender=gender,
        language="fa" if is_persian else "en",
        city=chance.choice(CITIES),
        state="NJ" if chance.random() < 0.2 else "NY",
        country="US",
        tags=sorted(chance.sample(TAGS, chance.choices([0, 1, 2], [70, 25, 5])[0])),
        attributes={"drink": chance.choice(["coffee", "tea", "water"])} if chance.random() < 0.4 else {},
        preferred_location=chance.choice(locations),
    )


def _email(number: int, first: str, last: str, chance: random.Random) -> str:
    """An address under example.com; some have none, and a few belong to mailboxes that are gone."""
    draw = chance.random()
    if draw < 0.03:
        return ""
    name = f"{first}.{last}".lower().replace(" ", "") if f"{first}{last}".isascii() else "moshtari"
    return f"{'gone.' if draw < 0.036 else ''}{name}.{number}@mail.example.com"
