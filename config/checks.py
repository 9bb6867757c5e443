"""What ``manage.py check --deploy`` says about an installation, beyond Django's own checks."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Critical, Error, Tags, register
from django.db import connection
from django.db.utils import OperationalError

from config.outages import explain

DEMO_KEY_START = "a key for demos"


@register(Tags.security, deploy=True)
def check_production(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[CheckMessage]:
    """The settings without which the product runs as a demo does."""
    problems: list[CheckMessage] = []
    if not settings.PRODUCTION:
        problems.append(
            Error("PRODUCTION is off.", hint="Set PRODUCTION=1: secure cookies, HTTPS and hashed static files follow.", id="regulars.E001")
        )
    if settings.SECRET_KEY.startswith(DEMO_KEY_START) or len(set(settings.SECRET_KEY)) < 16 or len(settings.SECRET_KEY) < 50:
        problems.append(
            Error("SECRET_KEY is weak.", hint="Use at least 50 random characters; docs/operator.md has the command.", id="regulars.E002")
        )
    address = urlsplit(settings.PUBLIC_URL)
    if address.scheme != "https" or address.hostname in (None, "localhost", "127.0.0.1"):
        problems.append(
            Error(
                f"PUBLIC_URL is {settings.PUBLIC_URL}.",
                hint="Messages link to it: give the https:// address people reach.",
                id="regulars.E003",
            )
        )
    for name, variable in ((settings.EMBEDDED_POSTGRES, "DATABASE_URL"), (settings.EMBEDDED_VALKEY, "REDIS_URL")):
        if name:
            problems.append(
                Error(f"{variable} is not set.", hint="The embedded servers are for one machine and demos.", id="regulars.E004")
            )
    return problems


@register(Tags.security, deploy=True)
def check_application_role(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[CheckMessage]:
    """The application's role must not pass the tenant wall, nor own what it guards."""
    try:
        with connection.cursor() as cursor:
            role, is_superuser, bypasses = role_of(cursor)
            cursor.execute("select count(*) from pg_tables where schemaname = 'public' and tableowner = current_user")
            owned = cursor.fetchone()[0]
            cursor.execute("show server_version_num")
            version = int(cursor.fetchone()[0])
    except OperationalError as error:
        return [Critical(explain(error) or str(error), id="regulars.C001")]
    problems: list[CheckMessage] = []
    if is_superuser or bypasses:
        hint = f'ALTER ROLE "{role}" NOSUPERUSER NOBYPASSRLS; docs/operator.md, "Two database roles".'
        problems.append(
            Critical(f"The role {role} passes row-level security: organizations are not kept apart.", hint=hint, id="regulars.C002")
        )
    if owned:
        hint = "Let DATABASE_OWNER_URL name another role and hand the tables over: REASSIGN OWNED."
        problems.append(Error(f"The application's role {role} owns {owned} tables.", hint=hint, id="regulars.E005"))
    if version < 160_000:
        problems.append(Error(f"PostgreSQL is {version // 10_000}; 16 or newer is needed.", id="regulars.E006"))
    return problems


@register(Tags.security, deploy=True)
def check_product_mail(app_configs: Sequence[Any] | None, **_kwargs: Any) -> list[CheckMessage]:
    """Passwords are chosen by a link in a mail, so mail has to leave."""
    if settings.EMAIL_BACKEND.endswith("console.EmailBackend"):
        return [checks.Warning("EMAIL_URL is not set.", hint="Links for choosing a password go to the log.", id="regulars.W001")]
    return []


def role_of(cursor: Any) -> tuple[str, bool, bool]:
    """The connected role, whether it is a superuser, whether it bypasses row-level security."""
    cursor.execute("select current_user, rolsuper, rolbypassrls from pg_roles where rolname = current_user")
    name, is_superuser, bypasses = cursor.fetchone()
    return name, is_superuser, bypasses
