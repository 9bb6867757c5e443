"""The demo's business: Saffron Barbers with its branches, its people and what it knows of its customers."""

from dataclasses import dataclass

from accounts.actions import add_member, create_location, create_organization
from accounts.audit import SYSTEM
from accounts.models import Location, Membership, Organization, Role, User
from accounts.queries import organization_id_by_slug
from accounts.tenancy import tenant
from config.demo.stage import PASSWORD
from crm.models import AttributeDefinition, AttributeType

SLUG = "saffron"
BRANCHES = (
    ("Downtown", "downtown", "12 Mulberry Street, New York", "+12125550101"),
    ("Riverside", "riverside", "480 Riverside Drive, New York", "+12125550102"),
    ("Brooklyn", "brooklyn", "77 Atlantic Avenue, Brooklyn", "+17185550103"),
)


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who logs in to the demo."""

    email: str
    name: str
    role: Role
    language: str = ""
    branches: tuple[str, ...] = ()


PEOPLE = (
    Person("alice@saffron.example.com", "Alice Morgan", Role.OWNER),
    Person("mina@saffron.example.com", "مینا رستمی", Role.MANAGER, language="fa"),
    Person("marco@saffron.example.com", "Marco Bellini", Role.MARKETER),
    Person("bob@saffron.example.com", "Bob Carter", Role.FRONT_DESK, branches=("downtown",)),
    Person("sara@saffron.example.com", "Sara Haddad", Role.SUPPORT),
    Person("ana@saffron.example.com", "Ana Petrov", Role.ANALYST),
)


@dataclass(frozen=True, slots=True)
class Business:
    """What the generator fills: the organization, its branches and its members."""

    organization: Organization
    locations: list[Location]
    members: list[Membership]


def open_business() -> int:
    """Create the organization unless it is there; its id."""
    found = organization_id_by_slug(SLUG)
    if found is not None:
        return found
    organization = create_organization(
        name="Saffron Barbers",
        slug=SLUG,
        time_zone="America/New_York",
        currency="USD",
        region="US",
        postal_address="Saffron Barbers, 12 Mulberry Street, New York, NY 10013",
        brand_color="#b45309",
    )
    return organization.pk


def staff_business(organization_id: int) -> Business:
    """Open the branches and hire the people of a new organization, inside its scope."""
    with tenant(organization_id):
        locations = [
            create_location(name=name, slug=slug, address=address, phone=phone, actor=SYSTEM) for name, slug, address, phone in BRANCHES
        ]
        members = [_hire(person, locations) for person in PEOPLE]
        AttributeDefinition.objects.create(
            key="drink", label="Favourite drink", type=AttributeType.CHOICE, choices=["coffee", "tea", "water"]
        )
        return Business(Organization.objects.get(), locations, members)


def _hire(person: Person, locations: list[Location]) -> Membership:
    user = User.objects.filter(email=person.email).first() or User.objects.create_user(
        person.email, PASSWORD, name=person.name, language=person.language
    )
    branches = [location for location in locations if location.slug in person.branches]
    return add_member(user=user, role=person.role, actor=SYSTEM, locations=branches)
