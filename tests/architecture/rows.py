"""One row in every walled table, made behind the wall by the server's administrator."""

import hashlib
from typing import Any

import psycopg
from django.db import connections
from psycopg import sql

from tests.architecture.addresses import ID
from tests.conftest import Cast
from tests.database import administrator

# The application's tables that hold no organization's data, and why. A name that is not needed any more fails the test.
OPEN_TABLES = {
    "accounts_user": "people, who may belong to several organizations",
    "auth_group": "Django's, unused: roles come from memberships",
    "auth_group_permissions": "Django's, unused",
    "auth_permission": "Django's, unused",
    "axes_accessattempt": "refused logins happen before an organization is known",
    "axes_accessattemptexpiration": "refused logins happen before an organization is known",
    "axes_accessfailurelog": "refused logins happen before an organization is known",
    "axes_accesslog": "logins happen before an organization is chosen",
    "django_admin_log": "Django's, never written (accounts.admin_site)",
    "django_celery_beat_clockedschedule": "the platform's schedule",
    "django_celery_beat_crontabschedule": "the platform's schedule",
    "django_celery_beat_intervalschedule": "the platform's schedule",
    "django_celery_beat_periodictask": "the platform's schedule",
    "django_celery_beat_periodictasks": "the platform's schedule",
    "django_celery_beat_solarschedule": "the platform's schedule",
    "django_content_type": "names of models",
    "django_migrations": "the owner's",
    "django_session": "sessions exist before a login",
}
# The tenants themselves: walled by their own id, and tested by name.
TENANTS = "accounts_organization"
# Values that a check or a meaning asks for, where any value of the type would not do.
FITTING: dict[tuple[str, str], Any] = {("loyalty_wallet", "debt"): 0, ("loyalty_referral", "rejection"): ""}


def tables() -> dict[str, bool]:
    """The tables of the product, and whether the wall stands around each."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "select c.relname, c.relrowsecurity and c.relforcerowsecurity and (c.relispartition or exists ("
            "  select from pg_policy p where p.polrelid = c.oid"
            "  and pg_get_expr(p.polqual, p.polrelid) like '%app.organization_id%'))"
            " from pg_class c where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace"
        )
        return dict(cursor.fetchall())


def walled_tables() -> list[str]:
    """Those to read and write in the tests; a partition is reached through its parent."""
    with connections["default"].cursor() as cursor:
        cursor.execute("select relname from pg_class where relispartition")
        partitions = {name for (name,) in cursor.fetchall()}
    return sorted(set(tables()) - set(OPEN_TABLES) - partitions - {TENANTS})


def database() -> str:
    """The database the test runs in."""
    return str(connections["default"].settings_dict["NAME"])


def plant_rows(cast: Cast) -> None:
    """Put one row of Saffron, with the id ``ID`` and references to rows of that id, into every walled table."""
    with connected() as connection:
        connection.execute("select crm_ensure_event_partition('2026-01-01')")
        connection.execute("set session_replication_role = replica")  # no triggers, no references
        for table in walled_tables():
            connection.execute(insertion(connection, table, cast))


def insertion(connection: psycopg.Connection, table: str, cast: Cast) -> str:
    """The statement that puts Saffron's row into a table."""
    values = {name: _value(table, name, kind, cast) for name, kind, needed in _columns(connection, table) if needed}
    statement = sql.SQL("insert into {} ({}) values ({})").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(map(sql.Literal, values.values())),
    )
    return statement.as_string(connection)


def fingerprint(cast: Cast) -> dict[str, str]:
    """What Saffron's rows look like, table by table."""
    found = {}
    with connected() as connection:
        for table in walled_tables():
            query = sql.SQL("select t::text from {} t where organization_id = {} order by 1").format(
                sql.Identifier(table), sql.Literal(cast.saffron.pk)
            )
            rows = connection.execute(query).fetchall()
            found[table] = hashlib.sha256(repr(rows).encode()).hexdigest()
    return found


def connected() -> psycopg.Connection:
    """The administrator's connection to the test's database: it stands outside the wall."""
    with administrator() as there:
        info = there.info
        return psycopg.connect(
            host=info.host, port=info.port, user=info.user, password=info.password or None, dbname=database(), autocommit=True
        )


def _columns(connection: psycopg.Connection, table: str) -> list[tuple[str, str, bool]]:
    """Name, type and whether a value has to be given, of each column."""
    query = (
        "select a.attname, format_type(a.atttypid, a.atttypmod), (a.attnotnull and not a.atthasdef and a.attgenerated = '')"
        " or a.attname in ('id', 'organization_id') or a.attname like '%%\\_id'"
        " from pg_attribute a where a.attrelid = %s::regclass and a.attnum > 0 and not a.attisdropped"
    )
    return connection.execute(query, [table]).fetchall()


def _value(table: str, name: str, kind: str, cast: Cast) -> Any:
    if (table, name) in FITTING:
        return FITTING[(table, name)]
    if name == "organization_id":
        return cast.saffron.pk
    if kind.endswith("[]"):
        return "{}"
    if name == "id" or (name.endswith("_id") and kind in ("bigint", "integer")):
        return ID
    return _of_type(kind)


def _of_type(kind: str) -> Any:
    match kind.split("(")[0]:
        case "boolean":
            return False
        case "jsonb" | "json":
            return "{}"
        case "date":
            return "2026-01-01"
        case "timestamp with time zone":
            return "2026-01-01T12:00:00Z"
        case "uuid":
            return "00000000-0000-0000-0000-000000900001"
        case "bytea":
            return b"x"
        case "character varying" | "text" | "character" | "inet" | "xid8":
            return "1"
        case _:
            return 1
