"""Loyalty in the admin: every record can be reached, ledgers only be read."""

from datetime import timedelta
from itertools import count

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import AuditEntry
from accounts.tenancy import tenant
from loyalty.actions.programs import write_terms
from loyalty.models import Entry, Member, Program
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import Stage, make_member, make_program

LEDGERS = ["terms", "member", "wallet", "hold", "entry", "posting", "lot"]


def _life(program: Program, keys: "count[int]") -> None:
    stage = Stage(make_member(program), now=timezone.now(), keys=keys)
    stage.earn(300, expires_in=timedelta(days=30))
    stage.hold(20)
    stage.redeem(100)


@pytest.fixture
def program(cast: Cast) -> Program:
    with tenant(cast.saffron.pk):
        program = make_program()
        write_terms(program=program, document={}, actor=cast.alice_acts, now=timezone.now())
        _life(program, count(1))
        return program


@pytest.mark.parametrize("name", [*LEDGERS, "program"])
def test_a_list_costs_as_many_queries_for_many_rows_as_for_few(cast: Cast, program: Program, as_alice: Client, name: str) -> None:
    url = f"/admin/loyalty/{name}/"
    as_alice.get(url)
    with CaptureQueriesContext(connection) as few:
        assert as_alice.get(url).status_code == 200
    with tenant(cast.saffron.pk):
        for number in range(8):
            _life(program, count(100 * (number + 1)))
    with CaptureQueriesContext(connection) as many:
        as_alice.get(url)
    assert len(many) <= len(few) + 1, [query["sql"][:150] for query in many]
    assert len(many) <= 15, [query["sql"][:150] for query in many]


@pytest.mark.parametrize("name", LEDGERS)
def test_ledgers_are_read_only(program: Program, as_alice: Client, name: str) -> None:
    assert as_alice.get(f"/admin/loyalty/{name}/add/").status_code == 403
    rows = as_alice.get(f"/admin/loyalty/{name}/").context["cl"].result_list
    url = f"/admin/loyalty/{name}/{rows[0].pk}/change/"
    assert as_alice.get(url).status_code == 200
    assert as_alice.post(url, {}).status_code == 403


def test_rows_are_found_by_the_number_on_the_card_or_the_customers_name(cast: Cast, program: Program, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        dana = make_member(program, customer=CustomerFactory.create(first_name="Dana", last_name="Reyes"))
        entry = Entry.objects.get(pk=Stage(dana, keys=count(9_000)).earn(5).entry_id)
    for text in (dana.number, "dana"):
        assert [row.pk for row in as_alice.get("/admin/loyalty/entry/", {"q": text}).context["cl"].result_list] == [entry.pk]
        assert [row.pk for row in as_alice.get("/admin/loyalty/member/", {"q": text}).context["cl"].result_list] == [dana.pk]


def test_a_program_is_named_in_the_admin_through_its_action(cast: Cast, program: Program, as_alice: Client, as_bob: Client) -> None:
    url = f"/admin/loyalty/program/{program.pk}/change/"
    values = {"name": "Saffron club", "slug": "points", "points_name": "points", "terms-TOTAL_FORMS": "0", "terms-INITIAL_FORMS": "0"}
    assert as_bob.post(url, values).status_code == 403
    assert as_alice.post(url, values).status_code == 302
    with tenant(cast.saffron.pk):
        assert AuditEntry.objects.get(action="program.changed").after == {"name": "Saffron club"}


def test_another_organization_finds_nothing(program: Program, as_charlie: Client) -> None:
    for name in (*LEDGERS, "program"):
        assert list(as_charlie.get(f"/admin/loyalty/{name}/").context["cl"].result_list) == []


def test_a_member_has_a_way_to_their_page(cast: Cast, program: Program, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        member = Member.objects.get()
    assert as_alice.get(f"/admin/loyalty/member/{member.pk}/open-page/")["Location"] == f"/loyalty/members/{member.pk}/"
