"""What a purchase earned stands in the answer to the call itself."""

from datetime import UTC, datetime

import pytest

from accounts.audit import SYSTEM
from accounts.models import Role
from accounts.permissions import API_SCOPES
from accounts.tenancy import tenant
from config.reactions import react
from crm.actions import NewLine, refund_purchase
from crm.answers import act_on_purchase
from crm.models import Customer, Purchase
from loyalty.actions.counter import undo_at_counter
from loyalty.actions.members import enrol_member
from loyalty.actions.moving import move_member
from loyalty.actions.till import refund_sale, sell
from loyalty.models import Entry, Wallet
from tests.api.conftest import Caller, caller_of
from tests.conftest import Cast, signed_in
from tests.crm.import_files import imported
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import NOW, Stage
from tests.loyalty.program_stage import broken, open_program


@pytest.fixture
def till(cast: Cast) -> Caller:
    return caller_of(cast.saffron, API_SCOPES, cast)


def test_the_answer_to_a_purchase_and_its_refund_says_what_they_did(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        program = open_program()
        customer = CustomerFactory.create()
    body = {"customer": customer.pk, "lines": [{"unit_price_minor": 12_500}]}
    sale = till.post("purchases/", body).json()
    (accrual,) = sale["loyalty"]
    with tenant(cast.saffron.pk):
        wallet = Wallet.objects.select_related("member").get()
    assert accrual == {
        "program": program.pk, "points_name": "points", "member": wallet.member.pk, "member_number": wallet.member.number,
        "earned": 12, "clawed_back": 0, "rules": {"sales": 12}, "balance": 12, "held": 0, "pending": 0, "debt": 0,
    }  # fmt: skip
    refund = till.post(f"purchases/{sale['id']}/refund/", {"amount_minor": 3_000}).json()
    assert [refund["loyalty"][0][name] for name in ("earned", "clawed_back", "balance")] == [0, 3, 9]
    react(organization_id=cast.saffron.pk)
    with tenant(cast.saffron.pk):
        assert Entry.objects.count() == 2


def test_the_answer_tells_of_whoever_holds_the_points_of_a_membership_that_moved(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        program = open_program()
        first, second = (enrol_member(program=program, customer=CustomerFactory.create(), now=NOW, actor=SYSTEM) for _ in range(2))
    body = {"customer": first.customer_id, "lines": [{"unit_price_minor": 12_500}]}
    told = [before := till.post("purchases/", body).json()]
    with tenant(cast.saffron.pk):
        move_member(member_id=first.pk, to_customer=second.customer, now=NOW, actor=SYSTEM)
    told.append(till.post("purchases/", body).json())
    told.append(till.post(f"purchases/{before['id']}/refund/", {"amount_minor": 3_000}).json())
    assert [[(one["member"], one["earned"], one["clawed_back"], one["balance"]) for one in answer["loyalty"]] for answer in told] == [
        [(first.pk, 12, 0, 12)],
        [(second.pk, 12, 0, 24)],
        [(second.pk, 0, 3, 21)],
    ]


def paid_with_points(now: datetime) -> Purchase:
    """A sale of 5,000, of which 300 of 500 points paid 3,000; it earned 2 points."""
    member = enrol_member(
        program=open_program(redemption={"points": 10, "minor": 100}), customer=CustomerFactory.create(), now=NOW, actor=SYSTEM
    )
    Stage(member).earn(500)
    return sell(lines=[NewLine(5_000)], key="till-1", now=now, actor=SYSTEM, member=member, points=300).purchase


@pytest.mark.parametrize(
    ("parts", "balances"), [([2_000], [500]), ([700, 1_300], [306, 500]), ([1, 1_998, 1], [201, 499, 500]), ([1_000], [351])]
)
def test_a_refund_that_names_money_gives_back_the_points_that_had_paid_for_its_share(
    cast: Cast, till: Caller, parts: list[int], balances: list[int]
) -> None:
    with tenant(cast.saffron.pk):
        sale = paid_with_points(NOW)
        assert Wallet.objects.get().balance == 202
    done = [till.post(f"purchases/{sale.pk}/refund/", {"amount_minor": part}).json()["loyalty"][0]["balance"] for part in parts]
    assert done == balances
    react(organization_id=cast.saffron.pk)
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get().balance == balances[-1]


@pytest.mark.parametrize("is_first", [True, False])
def test_the_till_and_a_page_give_back_each_point_once(in_saffron: Cast, is_first: bool) -> None:
    sale = paid_with_points(NOW)

    def at_till() -> int:
        return refund_sale(sale=sale, amount_minor=2_500, key="back", now=NOW, actor=SYSTEM).restored

    if is_first:
        assert at_till() == 150
    refund = refund_purchase(purchase=sale, amount_minor=1_000, refunded_at=NOW, actor=SYSTEM)
    act_on_purchase(refund, actor=SYSTEM, now=NOW)
    if not is_first:
        assert at_till() == 150
    assert (Wallet.objects.get().balance, sum(Entry.objects.filter(kind="undo").values_list("amount", flat=True))) == (500, 300)
    assert broken() == {}


def test_an_anonymous_purchase_earns_nobody_anything(cast: Cast, till: Caller) -> None:
    with tenant(cast.saffron.pk):
        open_program()
    assert till.post("purchases/", {"lines": [{"unit_price_minor": 12_500}]}).json()["loyalty"] == []


def test_a_sale_at_the_counter_earns_at_once(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        open_program()
        customer = CustomerFactory.create()
    line = {"lines-0-description": "Cut", "lines-0-quantity": "1", "lines-0-price": "35"}
    form = {"purchased_at_0": "2026-03-02", "purchased_at_1": "12:00", "lines-TOTAL_FORMS": "1", "lines-INITIAL_FORMS": "0", **line}
    response = signed_in(cast.bob).post(f"/customers/{customer.pk}/sales/new/", form)
    assert response.status_code == 302
    with tenant(cast.saffron.pk):
        assert Wallet.objects.get().balance == 3


def test_imported_receipts_earn_by_the_event_log(committed_cast: Cast) -> None:
    cast = committed_cast
    with tenant(cast.saffron.pk):
        open_program()
    imported(
        cast.saffron,
        cast.alice_acts,
        "invoice,date,amount,customer id\n1,2025-03-01,120,7\n2,2025-03-02,35,7\nC3,2025-03-03,-35,7\n",
        kind="purchases",
    )
    for _again in range(2):
        react(organization_id=cast.saffron.pk)
        with tenant(cast.saffron.pk):
            assert Wallet.objects.get().balance == 12


def test_a_refund_out_of_a_file_takes_back_what_was_earned_and_leaves_the_points_that_had_paid_to_the_counter(committed_cast: Cast) -> None:
    cast, at = committed_cast, datetime(2026, 11, 1, tzinfo=UTC)
    with tenant(cast.saffron.pk):
        sale = paid_with_points(at)
        Customer.objects.update(external_id="7")
    table = "invoice,date,amount,customer id\nC3,2026-11-03,-20,7\n"
    imported(cast.saffron, cast.alice_acts, table, kind="purchases")
    for _again in range(2):
        react(organization_id=cast.saffron.pk)
        with tenant(cast.saffron.pk):
            assert (Wallet.objects.get().balance, Entry.objects.filter(kind="undo").count()) == (200, 0)
    with tenant(cast.saffron.pk):
        redeemed = Entry.objects.select_related("member").get(purchase=sale, kind="redeem")
        undo_at_counter(member=redeemed.member, entry_id=redeemed.pk, token="c" * 20, now=at, actor=cast.alice_acts, role=Role.OWNER)
        assert Wallet.objects.get().balance == 500
