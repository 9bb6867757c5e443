"""The test database: migrated once by the owner's role, cloned, used under the application's role."""

import os

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from config.embedded.home import APPLICATION_ROLE, OWNER_ROLE, SUPERUSER_ROLE

TEMPLATE = f"test_{os.getpid()}_template"


def use_database(name: str) -> None:
    """Point both connections of this process at a database."""
    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
        settings.DATABASES[alias]["NAME"] = name


def build_template() -> None:
    """Create and migrate the database that the tests clone."""
    create_database(TEMPLATE)
    use_database(TEMPLATE)
    call_command("migrate", verbosity=0)
    use_database("postgres")


def rest_autovacuum() -> None:
    """On a server that only tests use: no transaction of PostgreSQL's own holds readers of the event log back."""
    with administrator() as connection:
        connection.execute("alter system set autovacuum = off")
        connection.execute("select pg_reload_conf()")


def create_database(name: str, template: str = "template1") -> None:
    with administrator() as connection:
        connection.execute(sql.SQL("create database {} template {} owner {}").format(*map(sql.Identifier, (name, template, owner()))))


def drop_database(name: str) -> None:
    with administrator() as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))


def truncate_all() -> None:
    """Empty every table but those that migrations filled; for tests that commit."""
    keep = {"django_migrations", "django_content_type"}
    with connections["owner"].cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public' and tablename not like 'crm_event_2%'")
        names = [name for (name,) in cursor.fetchall() if name not in keep]
        cursor.execute("select relname from pg_class where relkind = 'p' and relnamespace = 'public'::regnamespace")
        names += [name for (name,) in cursor.fetchall()]
        cursor.execute(f"truncate {', '.join(dict.fromkeys(names))} restart identity cascade")


def owner() -> str:
    name: str = settings.DATABASES["owner"]["USER"]
    return name


def administrator(database: str = "postgres") -> psycopg.Connection:
    """A connection that may create databases."""
    entry = settings.DATABASES["owner"]
    user = SUPERUSER_ROLE if settings.EMBEDDED_POSTGRES else entry["USER"]
    return psycopg.connect(
        host=entry["HOST"] or None,
        port=entry.get("PORT") or None,
        user=user,
        password=entry.get("PASSWORD") or None,
        dbname=database,
        autocommit=True,
    )


__all__ = [
    "APPLICATION_ROLE",
    "OWNER_ROLE",
    "TEMPLATE",
    "build_template",
    "create_database",
    "drop_database",
    "rest_autovacuum",
    "truncate_all",
    "use_database",
]
