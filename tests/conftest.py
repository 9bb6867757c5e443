"""The cast and the stage of every test: Alice owns Saffron, Bob works there, Charlie belongs to another organization."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.utils import translation
from pytest_django.plugin import DjangoDbBlocker, blocking_manager_key

from accounts.actions import add_member, create_location, create_organization
from accounts.audit import Actor
from accounts.models import Location, Organization, Role, User
from accounts.models.audit import ActorKind
from accounts.tenancy import tenant
from config.embedded import EmbeddedHome, start_embedded, stop_embedded
from tests.database import (
    TEMPLATE,
    build_template,
    copy_cluster,
    create_database,
    drop_database,
    hurry_server,
    make_migrated_cluster,
    migrated_cluster,
    truncate_all,
    use_database,
)

SHARED_DATA = Path(settings.BASE_DIR).parent / "shared" / "data"
PASSWORD = "correct horse battery"


STARTED = pytest.StashKey[bool]()
LONGEST_FIRST = ("slow", "chaos", "browser")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_USE_FINDERS = False  # else every test client looks for all static files; browsers get them
    with config.stash[blocking_manager_key].unblock():
        if _only_hands_out_tests(config):
            if migrated_cluster():
                make_migrated_cluster(settings.EMBEDDED_HOME)
        else:
            _make_server_ready(config)


def _make_server_ready(config: pytest.Config) -> None:
    cluster = migrated_cluster()
    if cluster:
        copy_cluster(cluster, settings.EMBEDDED_HOME)
    config.stash[STARTED] = start_embedded(settings.EMBEDDED_HOME, postgres=settings.EMBEDDED_POSTGRES, valkey=settings.EMBEDDED_VALKEY)
    if cluster:
        hurry_server()
    build_template(migrated=bool(cluster))


def pytest_unconfigure(config: pytest.Config) -> None:
    if _only_hands_out_tests(config):
        for folder in settings.EMBEDDED_HOME.folder.parent.glob("gw*"):  # see tests.own_servers
            stop_embedded(EmbeddedHome(folder))
    else:
        drop_database(TEMPLATE)
        if config.stash[STARTED] and not hasattr(config, "workerinput"):
            stop_embedded(settings.EMBEDDED_HOME)


def _only_hands_out_tests(config: pytest.Config) -> bool:
    """Whether this process leaves the tests to parallel workers."""
    return not hasattr(config, "workerinput") and bool(config.getoption("numprocesses", None))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long tests come first, so that parallel workers end together."""
    items.sort(key=lambda item: not any(item.get_closest_marker(mark) for mark in LONGEST_FIRST))


@pytest.fixture(autouse=True)
def english_again() -> Iterator[None]:
    """A request of the test client leaves its language behind; the next test begins with the first one."""
    yield
    translation.deactivate()


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Tests use a clone of the migrated template, so that the template can be built before any test."""
    name = TEMPLATE.replace("template", "clone")
    create_database(name, TEMPLATE)
    with django_db_blocker.unblock():
        use_database(name)
        _gather()
    yield
    with django_db_blocker.unblock():
        use_database("postgres")
    drop_database(name)


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """An empty database whose commits are real, for tests with several connections or processes."""
    with django_db_blocker.unblock(), empty_stage():
        yield


@pytest.fixture
def shared_data() -> Path:
    """Real data beside the project; tests that need it are marked ``realdata``."""
    if not SHARED_DATA.exists():
        pytest.skip("the real data is not on this machine")
    return SHARED_DATA


@dataclass(frozen=True)
class Cast:
    """Who plays: two organizations and their people."""

    saffron: Organization
    rival: Organization
    alice: User
    bob: User
    charlie: User
    downtown: Location
    uptown: Location

    @property
    def alice_acts(self) -> Actor:
        return Actor(ActorKind.USER, self.alice.pk, "Alice")

    @property
    def bob_acts(self) -> Actor:
        return Actor(ActorKind.USER, self.bob.pk, "Bob")

    @property
    def charlie_acts(self) -> Actor:
        return Actor(ActorKind.USER, self.charlie.pk, "Charlie")


def make_cast() -> Cast:
    """Create both organizations: Alice owns Saffron Barbers, Bob is at its front desk, Charlie owns Rival Cuts."""
    saffron = create_organization(
        name="Saffron Barbers", slug="saffron", time_zone="America/New_York", postal_address="1 Main St, New York"
    )
    rival = create_organization(name="Rival Cuts", slug="rival")
    alice, bob, charlie = (
        User.objects.create_user(f"{name.lower()}@example.com", PASSWORD, name=name) for name in ("Alice", "Bob", "Charlie")
    )
    alice_acts = Actor(ActorKind.USER, alice.pk, "Alice")
    with tenant(saffron.pk):
        downtown = create_location(name="Downtown", slug="downtown", actor=alice_acts)
        uptown = create_location(name="Uptown", slug="uptown", actor=alice_acts)
        add_member(user=alice, role=Role.OWNER, actor=alice_acts)
        add_member(user=bob, role=Role.FRONT_DESK, actor=alice_acts)
    with tenant(rival.pk):
        add_member(user=charlie, role=Role.OWNER, actor=Actor(ActorKind.USER, charlie.pk, "Charlie"))
    return Cast(saffron, rival, alice, bob, charlie, downtown, uptown)


_on_stage: list[Cast] = []


def _gather() -> None:
    """Commit the cast, once for all tests whose own rows are taken back."""
    _on_stage[:] = [make_cast()]


@contextmanager
def empty_stage() -> Iterator[None]:
    """No row of anybody; afterwards the cast is back."""
    truncate_all()
    try:
        yield
    finally:
        truncate_all()
        _gather()


@pytest.fixture
def cast(db: None) -> Cast:
    return deepcopy(_on_stage[0])


@pytest.fixture
def committed_cast(committed_db: None) -> Cast:
    return make_cast()


@pytest.fixture
def in_saffron(cast: Cast) -> Iterator[Cast]:
    """The cast, inside the tenant scope of Saffron Barbers."""
    with tenant(cast.saffron.pk):
        yield cast


def signed_in(user: User) -> Client:
    """A browser in which the user is logged in."""
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_alice(cast: Cast) -> Client:
    return signed_in(cast.alice)


@pytest.fixture
def as_bob(cast: Cast) -> Client:
    return signed_in(cast.bob)


@pytest.fixture
def as_charlie(cast: Cast) -> Client:
    return signed_in(cast.charlie)
