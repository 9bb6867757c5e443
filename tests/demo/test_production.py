"""``manage.py check --deploy``: silent for a production environment, loud for anything less."""

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks
from django.db import connections

from config import checks

KEY = "Wq7-x2Tf9LrPz0_mKcVb4HnYs8DgJu6EaRi3QoXw5ZtB1yNvCkMfSdUhGjAeLpIo"


@pytest.fixture
def production(settings: LazySettings) -> LazySettings:
    settings.PRODUCTION = True
    settings.SECRET_KEY = KEY
    settings.PUBLIC_URL = "https://crm.saffron.example"
    settings.EMBEDDED_POSTGRES = settings.EMBEDDED_VALKEY = False
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    return settings


def ours() -> list[str]:
    return sorted(str(found.id) for found in run_checks(include_deployment_checks=True) if str(found.id).startswith("regulars."))


@pytest.mark.django_db
def test_a_production_environment_is_clean(production: LazySettings) -> None:
    assert ours() == []


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("PRODUCTION", False, "regulars.E001"),
        ("SECRET_KEY", "short", "regulars.E002"),
        ("SECRET_KEY", "a" * 80, "regulars.E002"),
        ("PUBLIC_URL", "http://crm.saffron.example", "regulars.E003"),
        ("PUBLIC_URL", "https://localhost", "regulars.E003"),
        ("EMBEDDED_POSTGRES", True, "regulars.E004"),
        ("EMBEDDED_VALKEY", True, "regulars.E004"),
        ("EMAIL_BACKEND", "django.core.mail.backends.console.EmailBackend", "regulars.W001"),
    ],
)
def test_what_is_missing_is_named(setting: str, value: object, problem: str, production: LazySettings) -> None:
    setattr(production, setting, value)
    assert ours() == [problem]


@pytest.mark.django_db(databases=["default", "owner"])
def test_a_role_that_owns_the_tables_is_refused(production: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "connection", connections["owner"])
    assert ours() == ["regulars.E005"]


@pytest.mark.django_db
def test_a_role_that_passes_the_wall_is_critical(production: LazySettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "role_of", lambda _cursor: ("postgres", True, False))
    assert ours() == ["regulars.C002"]
