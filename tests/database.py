"""The test database: migrated once by the owner's role, cloned, used under the application's role."""

import os
import shutil
import subprocess
from pathlib import Path

import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from config.embedded import EmbeddedHome, start_embedded, stop_postgres
from config.embedded.home import DATABASE, SUPERUSER_ROLE

TEMPLATE = f"test_{os.getpid()}_template"


def use_database(name: str) -> None:
    """Point both connections of this process at a database."""
    for alias in connections:
        connections[alias].close()
        connections[alias].settings_dict["NAME"] = name
        settings.DATABASES[alias]["NAME"] = name


def build_template(*, migrated: bool) -> None:
    """Create the database that the tests clone: from the migrated one of this server, or by migrating anew."""
    create_database(TEMPLATE, DATABASE if migrated else "template1")
    if not migrated:
        use_database(TEMPLATE)
        call_command("migrate", verbosity=0)
    use_database("postgres")


def make_migrated_cluster(home: EmbeddedHome) -> None:
    """Create a cluster with a migrated database, and stop its server; for others to copy."""
    stop_postgres(home)
    shutil.rmtree(home.postgres_data, ignore_errors=True)
    start_embedded(home, postgres=True, valkey=False)
    call_command("migrate", verbosity=0)
    connections.close_all()
    stop_postgres(home)


def migrated_cluster() -> Path | None:
    """The cluster that the processes of a parallel run copy; see ``tests.own_servers``."""
    everybody = os.environ.get("TESTS_HOME") if settings.EMBEDDED_POSTGRES else None
    return EmbeddedHome(Path(everybody) / "migrated").postgres_data if everybody else None


def cluster_option() -> list[str]:
    """For programs with servers of their own: what spares them to migrate anew."""
    cluster = migrated_cluster()
    return ["--cluster", str(cluster)] if cluster else []


def copy_cluster(cluster: Path, home: EmbeddedHome) -> None:
    """Let a server begin with a copy of another's cluster, in place of one left by an earlier run."""
    stop_postgres(home)
    shutil.rmtree(home.postgres_data, ignore_errors=True)
    home.folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", cluster, home.postgres_data], check=True)


def hurry_server() -> None:
    """On a server that only tests use: nothing waits for the disk, and PostgreSQL's own transactions hold no reader of the event log back."""
    with administrator() as connection:
        for setting in ("autovacuum", "fsync", "full_page_writes"):
            connection.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)))
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
