"""Statements that go to the server past Django's cursors keep what those would do."""

from datetime import UTC, datetime

import pytest
from django.db import DataError, IntegrityError, connection, transaction
from django.db.transaction import TransactionManagementError

from accounts.models import Organization
from accounts.postgresql.prepared import quoted, run_command, run_prepared
from accounts.tenancy import tenant
from tests.conftest import Cast

ECHO = """
select %(nothing)s::text, %(text)s::text, %(number)s::bigint, %(moment)s::timestamptz, %(octets)s::bytea, %(truth)s::boolean,
    %(document)s::jsonb, %(words)s::text[], %(numbers)s::bigint[], %(text)s::text
"""
VALUES = {
    "nothing": None,
    "text": 'it\'s \\ "سلام"',
    "number": -(2**62),
    "moment": datetime(2026, 3, 2, 12, 0, 0, 250, UTC),
    "octets": b"\x00\\'\xff",
    "truth": False,
    "document": {"a": ["b", None, 1]},
    "words": ["null", "a,b", 'quo"te', "back\\slash", "", None],
    "numbers": [-1, 0, None],
}


def test_values_come_back_as_they_were_given(in_saffron: Cast) -> None:
    for _planned in range(2):
        answer = run_prepared(ECHO, VALUES)
        assert (answer.rows, answer.rowcount) == ([(*VALUES.values(), VALUES["text"])], 1)


def test_text_with_a_nul_is_refused_and_not_cut_short(in_saffron: Cast) -> None:
    with pytest.raises(DataError, match="NUL"):
        run_prepared("select %(text)s::text", {"text": "points\0"})


def test_what_the_database_refuses_is_djangos_error_and_leaves_the_savepoint_before_it(in_saffron: Cast) -> None:
    taken = {"slug": in_saffron.rival.slug, "id": in_saffron.saffron.pk}
    with pytest.raises(IntegrityError, match="slug"), transaction.atomic():
        run_prepared("update accounts_organization set slug = %(slug)s where id = %(id)s", taken)
    assert Organization.objects.get(pk=in_saffron.saffron.pk).slug == "saffron"


def test_nothing_is_run_outside_a_transaction_where_it_would_commit_by_itself(committed_cast: Cast) -> None:
    with pytest.raises(TransactionManagementError):
        run_prepared("select 1", {})
    with transaction.atomic():
        run_command(f"set local app.user_id = {quoted('7')}")
        assert run_prepared("select current_setting('app.user_id')", {}).fetchone() == ("7",)


def test_the_scope_begins_its_transaction_and_ends_it(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        ((inside,),) = run_prepared("select current_setting('app.organization_id')", {}).rows
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(current_setting('app.organization_id', true), '')")
        assert (inside, cursor.fetchone()) == (str(committed_cast.saffron.pk), ("",))
