"""No table without its wall, whoever asks: page, key, worker or raw SQL under the application's role."""

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, transaction
from django.db.models import ForeignKey

from accounts.tenancy import tenant
from tests.architecture.addresses import ID
from tests.architecture.rows import OPEN_TABLES, connected, insertion, plant_rows, tables, walled_tables
from tests.conftest import Cast


def test_every_table_is_walled_or_open_for_a_reason(db: None) -> None:
    shut = {name for name, walled in tables().items() if walled}
    assert set(tables()) - shut - set(OPEN_TABLES) == set()
    assert set(OPEN_TABLES) - set(tables()) == set(), "these reasons speak of tables that are gone"
    assert set(OPEN_TABLES) & shut == set(), "these tables are walled now; take their reasons out"


def test_references_between_walled_tables_carry_the_organization(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.conrelid::regclass::text, r.conname from pg_constraint r"
            " join pg_attribute ours on ours.attrelid = r.conrelid and ours.attname = 'organization_id'"
            " join pg_attribute theirs on theirs.attrelid = r.confrelid and theirs.attname = 'organization_id'"
            " where r.contype = 'f' and not ours.attnum = any (r.conkey)"
        )
        assert cursor.fetchall() == []


def test_references_are_checked_where_the_models_say_so_and_nowhere_else(db: None) -> None:
    declared = {
        (model._meta.db_table, field.column)
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.local_fields
        if isinstance(field, ForeignKey) and field.db_constraint and model._meta.managed  # type: ignore[attr-defined]  # missing from the stubs
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "select r.conrelid::regclass::text, a.attname from pg_constraint r"
            " join pg_class c on c.oid = r.conrelid and not c.relispartition"
            " join pg_attribute a on a.attrelid = r.conrelid and a.attnum = r.conkey[array_upper(r.conkey, 1)]"
            " where r.contype = 'f'"
        )
        assert set(cursor.fetchall()) == declared


def test_the_application_owns_no_table_and_passes_no_wall(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select rolsuper, rolbypassrls from pg_roles where rolname = current_user")
        assert cursor.fetchone() == (False, False)
        cursor.execute("select count(*) from pg_tables where schemaname = 'public' and tableowner = current_user")
        assert cursor.fetchone() == (0,)


@pytest.fixture
def planted(committed_cast: Cast) -> Cast:
    plant_rows(committed_cast)
    return committed_cast


def test_raw_sql_inside_another_organization_reads_nothing_and_writes_nothing(planted: Cast) -> None:
    leaks = []
    for table in walled_tables():
        with tenant(planted.rival.pk), connection.cursor() as cursor:
            cursor.execute(f"select count(*) from {table} where organization_id = %s", [planted.saffron.pk])
            if cursor.fetchone()[0]:
                leaks.append(f"{table}: read")
            for statement in ("update {} set organization_id = organization_id", "delete from {}"):
                cursor.execute(f"{statement.format(table)} where organization_id = %s", [planted.saffron.pk])
                if cursor.rowcount:
                    leaks.append(f"{table}: {statement.split()[0]}")
    assert leaks == []
    with tenant(planted.saffron.pk), connection.cursor() as cursor:
        missing = [table for table in walled_tables() if not _count(cursor, table)]
    assert missing == [], "nothing was planted here, so nothing was tested"


def test_raw_sql_outside_every_organization_reads_nothing(planted: Cast) -> None:
    with connection.cursor() as cursor:
        assert [table for table in walled_tables() if _count(cursor, table)] == []


def test_no_row_of_another_organization_can_be_planted(planted: Cast) -> None:
    let_in = []
    with connected() as outside:
        statements = {table: insertion(outside, table, planted) for table in walled_tables()}
    for table, statement in statements.items():
        with tenant(planted.rival.pk):
            try:
                with transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(statement)
            except DatabaseError as error:
                if "row-level security" not in str(error):
                    let_in.append(f"{table}: {error}")
            else:
                let_in.append(table)
    assert let_in == []


def test_another_organization_is_neither_seen_nor_changed(planted: Cast) -> None:
    with tenant(planted.rival.pk), connection.cursor() as cursor:
        cursor.execute("select id from accounts_organization")
        assert cursor.fetchall() == [(planted.rival.pk,)]
        cursor.execute("update accounts_organization set name = 'Stolen' where id = %s", [planted.saffron.pk])
        assert cursor.rowcount == 0


def test_the_planted_rows_are_the_ones_that_pages_ask_for(planted: Cast) -> None:
    with tenant(planted.saffron.pk), connection.cursor() as cursor:
        cursor.execute("select id from crm_customer")
        assert cursor.fetchall() == [(ID,)]


def _count(cursor: object, table: str) -> int:
    cursor.execute(f"select count(*) from {table}")  # type: ignore[attr-defined]  # a Django cursor
    return int(cursor.fetchone()[0])  # type: ignore[attr-defined]  # as above
