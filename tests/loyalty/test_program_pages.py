"""Programs are set up step by step and published; their boards; rewards and vouchers at the counter."""

import re
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.tenancy import tenant
from crm.actions import NewLine, record_purchase
from loyalty.actions.accrual import accrue_purchases
from loyalty.actions.catalogue import create_reward
from loyalty.actions.programs import write_terms
from loyalty.models import Member, Program, Reward, Terms, Voucher, Wallet
from tests.conftest import Cast, signed_in
from tests.crm.counter import limit_bob_to_downtown
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import Stage, make_member, make_program

EARN = {
    "earn-TOTAL_FORMS": "2", "earn-INITIAL_FORMS": "0", "multipliers-TOTAL_FORMS": "0", "multipliers-INITIAL_FORMS": "0",
    "earn-0-name": "Sales", "earn-0-on": "amount", "earn-0-points": "1", "earn-0-per_minor": "10", "earn-0-cap": "500", "earn-0-per": "day",
    "earn-1-name": "", "earn-1-on": "visit", "earn-1-points": "5",
}  # fmt: skip
EXPIRY = {"kind": "age", "months": "12", "calendar": "gregorian", "month": "12", "day": "31", "pending_days": "14"}
TIERS = {
    "has_tiers": "on", "basis": "visits", "window": "rolling", "months": "12", "calendar": "jalali", "grace_days": "0",
    "levels-TOTAL_FORMS": "2", "levels-INITIAL_FORMS": "0", "levels-0-name": "Bronze", "levels-0-threshold": "0", "levels-0-percent": "100",
    "levels-1-name": "Gold", "levels-1-threshold": "10", "levels-1-percent": "150", "levels-1-discount": "5",
}  # fmt: skip
WORTH = {"points": "100", "minor": "1.00", "smallest": "100", "redeemed_share": "80"}
STEPS: dict[str, dict[str, str]] = {"basics": {"enrol": "by_hand"}, "earning": EARN, "expiry": EXPIRY, "tiers": TIERS, "redemption": WORTH}


@pytest.fixture
def program(cast: Cast) -> Program:
    with tenant(cast.saffron.pk):
        return make_program()


def _url(name: str, program: Program, *more: Any) -> str:
    return reverse(f"loyalty:{name}", args=[program.pk, *more])


def _set_up(client: Client, program: Program) -> None:
    for step, values in STEPS.items():
        assert client.post(_url("setup", program, step), values).status_code == 302, step


def test_a_program_is_begun_and_asks_for_its_terms(cast: Cast, as_alice: Client) -> None:
    answer = as_alice.post(reverse("loyalty:new_program"), {"name": "Saffron club", "points_name": "points"})
    with tenant(cast.saffron.pk):
        program = Program.objects.get()
    assert (program.name, program.slug, program.state) == ("Saffron club", "saffron-club", "draft")
    assert answer["Location"] == _url("setup", program, "basics")
    again = as_alice.post(reverse("loyalty:new_program"), {"name": "Saffron club", "points_name": "points"})
    assert "Another program has the slug that is made of this name." in again.content.decode()


def test_the_steps_write_a_draft_and_publishing_it_the_next_version(cast: Cast, program: Program, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        Program.objects.update(state="draft")
    _set_up(as_alice, program)
    with tenant(cast.saffron.pk):
        assert Terms.objects.count() == 0
    page = as_alice.get(_url("setup", program, "review")).content.decode()
    assert "1 point for each $10.00" in page
    as_alice.post(_url("publish", program))
    with tenant(cast.saffron.pk):
        terms, found = Terms.objects.get(), Program.objects.get()
    document = terms.document
    assert (terms.version, found.state, found.draft, document["enrol"]) == (1, "active", None, "by_hand")
    assert [(rule["key"], rule["per_minor"], rule["cap"]) for rule in document["earn"]] == [("sales", 1000, {"points": 500, "per": "day"})]
    assert (document["pending_days"], document["expiry"]["months"], document["redemption"]["minor"]) == (14, 12, 100)
    levels = [(level["key"], level["threshold"], level["percent"], level["benefits"]) for level in document["tiers"]["levels"]]
    assert levels == [("bronze", 0, 100, []), ("gold", 10, 150, [{"kind": "discount", "value": 5, "text": ""}])]


def test_numbers_are_typed_in_persian_digits(cast: Cast, program: Program, as_alice: Client) -> None:
    as_alice.cookies["django_language"] = "fa"
    values = {"points": "۲۵۰", "minor": "۱٫۰۰", "smallest": "۱٬۰۰۰", "redeemed_share": "۸۰"}
    assert as_alice.post(_url("setup", program, "redemption"), values).status_code == 302
    with tenant(cast.saffron.pk):
        program.refresh_from_db()
        written = (program.draft or {})["redemption"]
    assert (written["points"], written["minor"], written["smallest"]) == (250, 100, 1000)
    # A browser's own number input keeps Persian digits out, without a word.
    for step in STEPS:
        assert 'type="number"' not in as_alice.get(_url("setup", program, step)).content.decode(), step


@pytest.mark.parametrize(("language", "days"), [("en", "0123456"), ("fa", "5601234")])
def test_the_days_of_a_multiplier_begin_as_the_readers_week_does(as_alice: Client, program: Program, language: str, days: str) -> None:
    as_alice.cookies["django_language"] = language
    page = as_alice.get(_url("setup", program, "earning")).content.decode()
    assert "".join(re.findall(r'name="multipliers-__prefix__-weekdays" value="(\d)"', page)) == days


def test_a_tier_reached_by_money_is_asked_for_in_money(cast: Cast, program: Program, as_alice: Client) -> None:
    as_alice.post(_url("setup", program, "tiers"), TIERS | {"basis": "spend", "levels-1-threshold": "250"})
    with tenant(cast.saffron.pk):
        draft = Program.objects.get().draft
    assert draft is not None
    assert [level["threshold"] for level in draft["tiers"]["levels"]] == [0, 25_000]
    _name, _heading, rows = as_alice.get(_url("setup", program, "tiers")).context["lists"][0]
    assert rows.forms[1]["threshold"].value() == "250.00"


def test_what_a_step_does_not_show_is_kept(cast: Cast, program: Program, as_alice: Client) -> None:
    rules = {"all": [{"field": "visit_count", "op": "at_least", "value": 3}]}
    rule = {"key": "old", "name": "Old", "on": "visit", "points": 3, "rules": rules, "locations": [cast.uptown.pk]}
    with tenant(cast.saffron.pk):
        write_terms(program=program, document={"earn": [rule]}, actor=cast.alice_acts, now=timezone.now())
    values = EARN | {"earn-TOTAL_FORMS": "1", "earn-INITIAL_FORMS": "1", "earn-0-key": "old", "earn-0-name": "New", "earn-0-on": "visit"}
    as_alice.post(_url("setup", program, "earning"), values | {"earn-0-per_minor": "", "earn-0-points": "4"})
    with tenant(cast.saffron.pk):
        draft = Program.objects.get().draft
    assert draft is not None
    kept = draft["earn"][0]
    assert (kept["key"], kept["name"], kept["points"], kept["rules"], kept["locations"]) == ("old", "New", 4, rules, [cast.uptown.pk])


def test_warnings_and_the_words_of_benefits_are_kept_by_steps_that_do_not_show_them(cast: Cast, program: Program, as_alice: Client) -> None:
    benefits = [{"kind": "priority", "text": "First in line"}, {"kind": "discount", "value": 5, "text": "On haircuts"}]
    gold = {"key": "gold", "threshold": 10, "benefits": [*benefits, {"kind": "free_shipping", "text": "By post"}]}
    document = {"expiry": {"kind": "age", "months": 24, "warn_days": [90, 14]}, "tiers": {"basis": "visits", "levels": [gold]}}
    with tenant(cast.saffron.pk):
        write_terms(program=program, document=document, actor=cast.alice_acts, now=timezone.now())
    row = {"levels-0-key": "gold", "levels-0-name": "Gold", "levels-0-threshold": "10", "levels-0-percent": "100"}
    shown = {"levels-0-discount": "7", "levels-0-free_shipping": "on"}
    as_alice.post(_url("setup", program, "expiry"), EXPIRY)
    as_alice.post(_url("setup", program, "tiers"), TIERS | {"levels-TOTAL_FORMS": "1", "levels-INITIAL_FORMS": "1"} | row | shown)
    as_alice.post(_url("publish", program))
    with tenant(cast.saffron.pk):
        published = Terms.objects.get(version=2).document
    assert (published["expiry"]["months"], published["expiry"]["warn_days"]) == (12, [90, 14])
    assert [(one["kind"], one["value"], one["text"]) for one in published["tiers"]["levels"][0]["benefits"]] == [
        ("priority", 0, "First in line"),
        ("discount", 7, "On haircuts"),
        ("free_shipping", 0, "By post"),
    ]


def test_a_referral_rule_says_what_the_friend_gets_and_when(cast: Cast, program: Program, as_alice: Client) -> None:
    one = {"earn-TOTAL_FORMS": "1", "earn-0-name": "Friends", "earn-0-on": "referral", "earn-0-points": "500", "earn-0-per_minor": ""}
    both = EARN | one | {"earn-0-referee_points": "200", "earn-0-refund_days": "0"}
    as_alice.post(_url("setup", program, "earning"), both)
    with tenant(cast.saffron.pk):
        draft = Program.objects.get().draft
    assert draft is not None
    assert (draft["earn"][0]["referee_points"], draft["earn"][0]["refund_days"]) == (200, 0)
    page = as_alice.get(_url("setup", program, "earning"))
    assert [page.context["lists"][0][2].forms[0][name].value() for name in ("referee_points", "refund_days")] == [200, 0]
    key = {"earn-INITIAL_FORMS": "1", "earn-0-key": "friends"}
    as_alice.post(_url("setup", program, "earning"), both | key | {"earn-0-on": "sign_up"})
    with tenant(cast.saffron.pk):
        draft = Program.objects.get().draft
    assert draft is not None
    assert (draft["earn"][0]["referee_points"], draft["earn"][0]["refund_days"]) == (0, None)


def test_the_preview_says_what_a_purchase_gives_before_anything_is_kept(cast: Cast, program: Program, as_alice: Client) -> None:
    page = as_alice.post(_url("preview", program, "earning"), EARN | {"sample": "125"})
    assert (page.context["points"], page.context["worth_minor"], page.context["expires_at"]) == (12, 12, None)
    assert "12 points" in page.content.decode()
    with tenant(cast.saffron.pk):
        assert Program.objects.get().draft is None


def test_a_draft_with_faults_is_kept_and_not_published(cast: Cast, program: Program, as_alice: Client) -> None:
    as_alice.post(_url("setup", program, "earning"), EARN | {"earn-0-per_minor": ""})
    assert "earn[0].per_minor" in as_alice.get(_url("setup", program, "review")).content.decode()
    page = as_alice.post(_url("publish", program), follow=True).content.decode()
    assert "Nothing was published" in page
    with tenant(cast.saffron.pk):
        assert Terms.objects.count() == 0


def test_bob_looks_and_changes_nothing_and_charlie_finds_nothing(program: Program, as_bob: Client, as_charlie: Client) -> None:
    assert as_bob.get(_url("program", program)).status_code == 200
    assert as_bob.get(_url("board", program)).status_code == 403
    for name, more in (("setup", ["basics"]), ("publish", []), ("move_program", []), ("preview", ["basics"]), ("simulation", [])):
        url = _url(name, program, *more)
        assert (as_bob.post(url).status_code, as_charlie.post(url).status_code) == (403, 404)
    assert [as_charlie.get(_url(name, program)).status_code for name in ("program", "board")] == [404, 404]


def test_every_step_and_the_board_open(cast: Cast, program: Program, as_alice: Client) -> None:
    _set_up(as_alice, program)
    as_alice.post(_url("publish", program))
    with tenant(cast.saffron.pk):
        stage = Stage(make_member(program), now=timezone.now())
        stage.earn(300, expires_in=timedelta(days=30))
        stage.redeem(100)
    for step in (*STEPS, "review"):
        assert as_alice.get(_url("setup", program, step)).status_code == 200
    board = as_alice.get(_url("board", program))
    assert (board.context["outstanding"], board.context["owed_minor"], board.context["part"].members) == (200, 160, 1)
    assert board.context["flow"]["series"][1]["values"] == [100]
    assert "Would have got more" in as_alice.get(_url("simulation", program)).content.decode()
    assert "version 1" in as_alice.get(_url("program", program)).content.decode()
    assert "Saffron points" in as_alice.get(reverse("loyalty:programs")).content.decode()


def test_a_program_is_closed_and_opened_again(cast: Cast, program: Program, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        write_terms(program=program, document={}, actor=cast.alice_acts, now=timezone.now())
    for state in ("closed", "active"):
        as_alice.post(_url("move_program", program), {"state": state})
        with tenant(cast.saffron.pk):
            assert Program.objects.get().state == state


@pytest.fixture
def member(cast: Cast, program: Program) -> Member:
    with tenant(cast.saffron.pk):
        dana = make_member(program, customer=CustomerFactory.create(first_name="Dana"))
        Stage(dana, now=timezone.now(), keys=count(70)).earn(300)
        create_reward(program=program, actor=cast.alice_acts, name="Shave", points=200, cash_minor=500, stock=1)
        return dana


def _take(client: Client, member: Member, reward: Reward, token: str = "a-token-of-a-form-0001") -> str:
    url = reverse("loyalty:redeem_reward", args=[member.pk, reward.pk])
    return str(client.post(url, {"token": token}, follow=True).content.decode())


def test_a_reward_is_redeemed_at_the_counter_and_its_voucher_used_once(
    cast: Cast, member: Member, as_bob: Client, as_charlie: Client
) -> None:
    with tenant(cast.saffron.pk):
        reward = Reward.objects.get()
    assert (
        reverse("loyalty:redeem_reward", args=[member.pk, reward.pk])
        in as_bob.get(reverse("loyalty:member", args=[member.pk])).content.decode()
    )
    assert "Shave: the voucher is" in _take(as_bob, member, reward)
    assert "done before" in _take(as_bob, member, reward)
    assert "None is left." in _take(as_bob, member, reward, "another-token-000001")
    with tenant(cast.saffron.pk):
        voucher = Voucher.objects.get()
        assert Wallet.objects.get(member=member).balance == 100
    page = as_bob.get(reverse("loyalty:vouchers"), {"code": voucher.code.lower()})
    assert "$5.00 is paid: use voucher" in page.content.decode()
    use = reverse("loyalty:use_voucher", args=[voucher.pk])
    assert as_charlie.post(use, {"token": "a-token-of-a-form-0002"}).status_code == 404
    assert "The voucher is used." in as_bob.post(use, {"token": "a-token-of-a-form-0002"}, follow=True).content.decode()
    assert "the voucher is “Used”" in as_bob.post(use, {"token": "a-token-of-a-form-0003"}, follow=True).content.decode()
    assert "No such voucher" in as_charlie.get(reverse("loyalty:vouchers"), {"code": voucher.code}).content.decode()
    undo = reverse("loyalty:undo_use", args=[voucher.pk])
    assert undo in as_bob.get(reverse("loyalty:vouchers"), {"code": voucher.code}).content.decode()
    assert as_charlie.post(undo, {"token": "a-token-of-a-form-0004"}).status_code == 404
    assert "Undone." in as_bob.post(undo, {"token": "a-token-of-a-form-0004"}, follow=True).content.decode()
    assert "nothing to undo" in as_bob.post(undo, {"token": "a-token-of-a-form-0005"}, follow=True).content.decode()
    assert "The voucher is used." in as_bob.post(use, {"token": "a-token-of-a-form-0006"}, follow=True).content.decode()


def test_the_history_names_the_rule_and_the_reward(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        rule = {"key": "sales", "name": "Every sale", "on": "amount", "points": 1, "per_minor": 100}
        write_terms(program=member.program, document={"earn": [rule]}, actor=cast.alice_acts, now=timezone.now() - timedelta(days=1))
        purchase = record_purchase(
            lines=[NewLine(900)], purchased_at=timezone.now(), now=timezone.now(), actor=cast.alice_acts, customer=member.customer
        )
        accrue_purchases(purchase_ids=[purchase.pk], now=timezone.now())
        reward = Reward.objects.get()
    _take(as_bob, member, reward)
    lines = as_bob.get(reverse("loyalty:member", args=[member.pk])).context["lines"]
    assert [one["why"] for one in lines[:2]] == [["Shave"], ["Every sale"]]
    page, receipt = reverse("loyalty:member", args=[member.pk]), reverse("crm:purchase", args=[purchase.pk])
    assert receipt in as_bob.get(page).content.decode()
    limit_bob_to_downtown(cast)
    seen = signed_in(cast.bob).get(page).content.decode()
    assert f"#{purchase.pk}" in seen
    assert receipt not in seen


def test_the_catalogue_tells_what_is_left(cast: Cast, member: Member, as_bob: Client, as_charlie: Client) -> None:
    page = as_bob.get(reverse("loyalty:rewards"))
    assert [(reward.name, offered, left) for reward, offered, left in page.context["rows"]] == [("Shave", True, 1)]
    assert "New reward" not in page.content.decode()
    assert "Shave" not in as_charlie.get(reverse("loyalty:rewards")).content.decode()
