"""The counter's pages: find, enrol, give, take, redeem, undo; who may, how much, and once."""

from datetime import datetime, timedelta
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from accounts.actions import add_member
from accounts.models import AuditEntry, Role, User
from accounts.tenancy import tenant
from crm.models import Customer, Event
from loyalty.actions.programs import write_terms
from loyalty.links import member_token
from loyalty.models import Entry, Lot, Member, Wallet
from loyalty.queries import members as queries
from tests.conftest import PASSWORD, Cast, signed_in
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import Stage, make_member, make_program

TOKEN = "a-token-of-a-form-0001"
VERBS = ["give", "take", "redeem"]


@pytest.fixture
def member(cast: Cast) -> Member:
    """Dana, with 300 points."""
    with tenant(cast.saffron.pk):
        dana = make_member(make_program(), customer=CustomerFactory.create(first_name="Dana", last_name="Reyes", phone="+12025550123"))
        Stage(dana, now=timezone.now() - timedelta(days=3)).earn(300)
        return dana


def _stage(member: Member) -> Stage:
    return Stage(member, now=timezone.now(), keys=count(1_000))


def _post(client: Client, member: Member, verb: str, amount: str, *, reason: str = "Goodwill", token: str = TOKEN) -> Any:
    return client.post(reverse(f"loyalty:{verb}", args=[member.pk]), {"amount": amount, "reason": reason, "token": token}, follow=True)


def _balance(cast: Cast) -> int:
    with tenant(cast.saffron.pk):
        return Wallet.objects.get().balance


@pytest.mark.parametrize(("verb", "kind", "balance"), [("give", "give", 350), ("take", "take", 250), ("redeem", "redeem", 250)])
def test_bob_gives_takes_and_redeems(cast: Cast, member: Member, as_bob: Client, verb: str, kind: str, balance: int) -> None:
    page = _post(as_bob, member, verb, "50")
    assert f"The balance is {balance} now." in page.content.decode()
    with tenant(cast.saffron.pk):
        entry = Entry.objects.earliest("-id")
        assert (entry.kind, entry.amount, entry.reason, entry.actor_label) == (kind, 50, "Goodwill", "Bob")
        audited = AuditEntry.objects.get(action__startswith="points.")
        assert (audited.actor_label, audited.after) == ("Bob", {"entry": entry.pk, "balance": balance, "points": 50, "reason": "Goodwill"})
        assert Event.objects.get(kind=audited.action).properties["points"] == 50
    assert _balance(cast) == balance


@pytest.mark.parametrize("verb", VERBS)
def test_a_form_counts_once_however_often_it_is_sent(cast: Cast, member: Member, as_bob: Client, verb: str) -> None:
    _post(as_bob, member, verb, "50")
    once = _balance(cast)
    assert "This was done before; nothing was done again." in _post(as_bob, member, verb, "50").content.decode()
    assert "with something else in it" in _post(as_bob, member, verb, "60").content.decode()
    assert _balance(cast) == once
    with tenant(cast.saffron.pk):
        assert AuditEntry.objects.filter(action__startswith="points.").count() == 1


def test_a_form_that_was_refused_can_be_sent_again(cast: Cast, member: Member, as_bob: Client) -> None:
    page = _post(as_bob, member, "redeem", "400")
    assert "There are 300 points, and 400 were asked for. Nothing was changed." in page.content.decode()
    form = page.context["form"]
    assert (form["amount"].value(), form["token"].value() == TOKEN) == ("400", False)
    _post(as_bob, member, "redeem", "200", token=form["token"].value())
    assert _balance(cast) == 100


@pytest.mark.parametrize("amount", ["", "0", "-5", "ten", "1.5"])
def test_what_is_no_number_of_points_is_said_at_its_field(cast: Cast, member: Member, as_bob: Client, amount: str) -> None:
    page = _post(as_bob, member, "give", amount)
    assert list(page.context["form"].errors) == ["amount"]
    assert _balance(cast) == 300


def test_a_limit_is_told_in_persian_digits(cast: Cast, member: Member, as_bob: Client) -> None:
    as_bob.cookies["django_language"] = "fa"
    assert "مطمئن شوید این مقدار بزرگتر و یا مساوی ۱ است." in _post(as_bob, member, "give", "0").content.decode()
    assert _balance(cast) == 300


def test_points_are_read_in_persian_digits_and_with_separators(cast: Cast, member: Member, as_alice: Client) -> None:
    _post(as_alice, member, "give", "۱٬۲۵۰")
    assert _balance(cast) == 1550


def test_giving_asks_for_a_reason_and_redeeming_does_not(cast: Cast, member: Member, as_bob: Client) -> None:
    assert list(_post(as_bob, member, "give", "5", reason="").context["form"].errors) == ["reason"]
    _post(as_bob, member, "redeem", "5", reason="")
    assert _balance(cast) == 295


def test_the_front_desk_gives_up_to_its_limit_and_the_owner_without_one(
    cast: Cast, member: Member, as_bob: Client, as_alice: Client
) -> None:
    assert "at a time at most" in _post(as_bob, member, "give", "501").content.decode()
    for number in range(4):
        _post(as_bob, member, "give", "500", token=f"{TOKEN}-{number}")
    assert "that is used up" in _post(as_bob, member, "give", "1", token=f"{TOKEN}-9").content.decode()
    assert "done before" in _post(as_bob, member, "give", "500", token=f"{TOKEN}-3").content.decode()
    assert _balance(cast) == 2300
    _post(as_alice, member, "give", "90000", token=f"{TOKEN}-a")
    assert _balance(cast) == 92300


def test_what_is_left_of_a_day_is_told(cast: Cast, member: Member, as_bob: Client) -> None:
    for number in range(3):
        _post(as_bob, member, "give", "500", token=f"{TOKEN}-{number}")
    _post(as_bob, member, "take", "300", token=f"{TOKEN}-t")
    assert "200 are left" in _post(as_bob, member, "give", "201", token=f"{TOKEN}-9").content.decode()
    assert as_bob.get(reverse("loyalty:member", args=[member.pk])).context["most"] == 200


def test_what_is_given_expires_as_the_terms_in_force_say(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        write_terms(program=member.program, document={"expiry": {"kind": "age", "months": 1}}, actor=cast.alice_acts, now=timezone.now())
    _post(as_bob, member, "give", "50")
    with tenant(cast.saffron.pk):
        version, expires_at = Lot.objects.order_by("-entry_id").values_list("entry__terms__version", "expires_at")[0]
    assert expires_at is not None
    assert (version, 27 <= (expires_at - timezone.now()).days <= 32) == (1, True)


def test_fewer_points_than_the_terms_redeem_are_refused(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        write_terms(program=member.program, document={"redemption": {"smallest": 100}}, actor=cast.alice_acts, now=timezone.now())
    assert "Fewer than 100 points are not redeemed." in _post(as_bob, member, "redeem", "99").content.decode()
    page = _post(as_bob, member, "redeem", "100", token=f"{TOKEN}-2")
    assert "100 points redeemed. They are worth $1.00. The balance is 200 now." in page.content.decode()
    assert _balance(cast) == 200


def _undo(client: Client, member: Member, entry: Entry, token: str = TOKEN) -> str:
    url = reverse("loyalty:undo", args=[member.pk, entry.pk])
    return str(client.post(url, {"token": f"{token}-{entry.pk}"}, follow=True).content.decode())


@pytest.mark.parametrize("verb", VERBS)
def test_what_was_done_by_mistake_is_undone_once(cast: Cast, member: Member, as_bob: Client, verb: str) -> None:
    _post(as_bob, member, verb, "50")
    with tenant(cast.saffron.pk):
        entry = Entry.objects.earliest("-id")
    assert "Undone." in _undo(as_bob, member, entry)
    assert "done before" in _undo(as_bob, member, entry)
    assert "nothing to undo" in _undo(as_bob, member, entry, "another-form-0000001")
    assert _balance(cast) == 300


@pytest.mark.parametrize("verb", ["give", "take"])
def test_the_front_desk_undoes_only_as_many_points_as_it_may_give(
    cast: Cast, member: Member, as_alice: Client, as_bob: Client, verb: str
) -> None:
    _post(as_alice, member, "give", "1000")
    _post(as_alice, member, verb, "501", token=f"{TOKEN}-2")
    with tenant(cast.saffron.pk):
        entry = Entry.objects.earliest("-id")
    assert "at a time at most" in _undo(as_bob, member, entry)
    assert "Undone." in _undo(as_alice, member, entry)
    assert _balance(cast) == 1_300


def test_a_gift_that_was_spent_and_an_earning_are_not_undone(cast: Cast, member: Member, as_bob: Client) -> None:
    _post(as_bob, member, "give", "50")
    with tenant(cast.saffron.pk):
        earned, given = Entry.objects.order_by("id")
    _post(as_bob, member, "redeem", "320", token=f"{TOKEN}-r")
    for entry in (earned, given):
        assert "nothing to undo" in _undo(as_bob, member, entry)
    assert _balance(cast) == 30


@pytest.mark.parametrize("text", ["dana", "202 555 0123", "reyes", "number", "lower"])
def test_a_member_is_found_by_whatever_is_typed_or_scanned(cast: Cast, member: Member, as_bob: Client, text: str) -> None:
    typed = {"number": member.number, "lower": f"{member.number[:6]}-{member.number[6:]}".lower()}.get(text, text)
    page = as_bob.get(reverse("loyalty:points"), {"q": typed}, headers={"HX-Request": "true"})
    assert reverse("loyalty:member", args=[member.pk]) in page.content.decode()


def test_a_scanned_card_opens_its_member(cast: Cast, member: Member, as_bob: Client, as_charlie: Client) -> None:
    assert as_bob.get(reverse("loyalty:points"), {"q": member.number})["Location"] == reverse("loyalty:member", args=[member.pk])
    assert "Nobody is found" in as_charlie.get(reverse("loyalty:points"), {"q": member.number}).content.decode()


def test_a_customer_is_enrolled_once(cast: Cast, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        program, nima = make_program(), CustomerFactory.create(first_name="Nima")
    url = reverse("loyalty:enrol", args=[nima.pk])
    assert url in as_bob.get(reverse("loyalty:points"), {"q": "nima"}).content.decode()
    page = as_bob.post(url, {"program": program.pk}, follow=True).content.decode()
    assert "is a member of Saffron points now." in page
    assert "No program to join" in as_bob.get(url).content.decode()
    with tenant(cast.saffron.pk):
        assert Member.objects.get().customer_id == nima.pk


PAGES = ["member", "customer_panel"]


@pytest.mark.parametrize("name", PAGES)
def test_pages_open_for_those_who_look_and_for_nobody_else(member: Member, as_bob: Client, as_charlie: Client, name: str) -> None:
    url = reverse(f"loyalty:{name}", args=[member.pk if name == "member" else member.customer_id])
    assert [client.get(url).status_code for client in (as_bob, as_charlie)] == [200, 404]


def test_charlie_changes_nothing(cast: Cast, member: Member, as_charlie: Client) -> None:
    with tenant(cast.saffron.pk):
        entry = Entry.objects.get()
    statuses = {verb: _post(as_charlie, member, verb, "50").status_code for verb in VERBS}
    statuses["undo"] = as_charlie.post(reverse("loyalty:undo", args=[member.pk, entry.pk]), {"token": TOKEN}).status_code
    assert set(statuses.values()) == {404}
    assert _balance(cast) == 300


def test_who_left_is_given_nothing(cast: Cast, member: Member, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        Member.objects.update(is_active=False)
    assert {_post(as_alice, member, verb, "5").status_code for verb in VERBS} == {404}
    assert reverse("loyalty:give", args=[member.pk]) not in as_alice.get(reverse("loyalty:member", args=[member.pk])).content.decode()


def test_an_analyst_sees_and_is_offered_nothing_to_press(cast: Cast, member: Member) -> None:
    dora = User.objects.create_user("dora@example.com", PASSWORD, name="Dora")
    with tenant(cast.saffron.pk):
        add_member(user=dora, role=Role.ANALYST, actor=cast.alice_acts)
    page = signed_in(dora).get(reverse("loyalty:member", args=[member.pk])).content.decode()
    assert "300" in page
    assert reverse("loyalty:give", args=[member.pk]) not in page
    assert _post(signed_in(dora), member, "give", "5").status_code == 403


def test_the_history_tells_every_entry_with_the_balance_after_it(cast: Cast, member: Member, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        stage = _stage(member)
        stage.redeem(100)
        stage.earn(40, matures_in=timedelta(days=9))
        stage.claw_back(250)
        for number in range(30):
            stage.earn(10 + number)
    url = reverse("loyalty:member", args=[member.pk])
    first, second = (as_alice.get(url, {"page": page}).context["lines"] for page in (1, 2))
    balances = [one["line"].balance for one in (*first, *second)]
    changes = [one["line"].wallet for one in (*first, *second)]
    assert (len(first), len(second), balances[-1], balances[-2]) == (25, 9, 300, 200)
    assert [after - change for after, change in zip(balances, changes, strict=True)] == [*balances[1:], 0]
    assert [one["why"] for one in second][-4:] == [
        ["50 were missing and are a debt now"], ["they become available later"], [], [],
    ]  # fmt: skip


def test_what_expires_when_is_told_by_month(cast: Cast, member: Member, as_alice: Client) -> None:
    with tenant(cast.saffron.pk):
        stage = _stage(member)
        stage.earn(10, expires_in=timedelta(days=40))
        stage.earn(20, expires_in=timedelta(days=40))
    chart = as_alice.get(reverse("loyalty:member", args=[member.pk])).context["expiries"]
    assert chart["series"] == [{"name": "Points", "values": [30, 300]}]
    assert chart["labels"][1] == "Never"


# Ten of these are the session, the person, their seats and the tenant scope.
BUDGETS = {"loyalty:members": 15, "loyalty:member": 41, "loyalty:customer_panel": 24}


@pytest.mark.parametrize("name", BUDGETS)
def test_a_page_costs_as_many_queries_for_many_rows_as_for_few(
    cast: Cast, member: Member, as_bob: Client, django_assert_max_num_queries: DjangoAssertNumQueries, name: str
) -> None:
    with tenant(cast.saffron.pk):
        stage = _stage(member)
        for _each in range(20):
            stage.earn(10)
            stage.redeem(5)
            make_member(member.program)
    arguments = {"loyalty:members": [], "loyalty:member": [member.pk], "loyalty:customer_panel": [member.customer_id]}[name]
    as_bob.get(reverse(name, args=arguments))
    with django_assert_max_num_queries(BUDGETS[name]):
        as_bob.get(reverse(name, args=arguments))


def test_the_list_of_members_is_searched_and_narrowed(cast: Cast, member: Member, as_bob: Client, as_charlie: Client) -> None:
    with tenant(cast.saffron.pk):
        make_member(member.program, customer=CustomerFactory.create(first_name="Nima"))
    url = reverse("loyalty:members")

    def names(**query: str) -> list[str]:
        return [row.customer.first_name for row in as_bob.get(url, query).context["page"]]

    assert names() == ["Nima", "Dana"]
    assert names(q="dana") == ["Dana"]
    assert names(wallet="balance") == ["Dana"]
    assert names(wallet="debt") == []
    assert "No members yet" in as_charlie.get(url).content.decode()


def test_the_customers_page_says_all_that_expires_next(cast: Cast, member: Member, as_bob: Client) -> None:
    with tenant(cast.saffron.pk):
        stage = _stage(member)
        for amount, days in ((30, 10), (470, 10), (5, 11)):
            stage.earn(amount, expires_in=timedelta(days=days))
    assert "500 of them expire on" in as_bob.get(reverse("loyalty:customer_panel", args=[member.customer_id])).content.decode()


def test_staff_see_the_last_day_where_the_member_is(cast: Cast, member: Member, as_bob: Client) -> None:
    far = ZoneInfo("America/Los_Angeles")  # the organization is in New York, where that day is over three hours earlier
    end = datetime(2031, 2, 1, tzinfo=far)
    with tenant(cast.saffron.pk):
        Customer.objects.filter(pk=member.customer_id).update(time_zone=far.key)
        stage = _stage(member)
        stage.earn(470, expires_in=end - stage.now)
    panel = as_bob.get(reverse("loyalty:customer_panel", args=[member.customer_id])).content.decode()
    page = as_bob.get(reverse("loyalty:member", args=[member.pk]))
    assert "470 of them expire on Jan 31, 2031." in panel
    assert "<td>Jan 31, 2031</td>" in page.content.decode()
    assert page.context["expiries"]["labels"][0] == "Jan 2031"


def test_members_are_looked_for_among_all_whose_name_fits(
    cast: Cast, member: Member, as_bob: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(queries._customers.__kwdefaults__ or {}, "at_most", 1)  # in the place of ten thousand
    with tenant(cast.saffron.pk):
        for _each in range(3):
            CustomerFactory.create(first_name="Dana")
        make_member(member.program, customer=CustomerFactory.create(first_name="Dana"))
    assert as_bob.get(reverse("loyalty:members"), {"q": "dana"}).context["page"].paginator.count == 2


@pytest.mark.parametrize(
    ("points", "language", "words"),
    [
        (98, "en", "Nothing can be paid with points yet: it takes 100 of them, 2 more are needed."),
        (99, "en", "Nothing can be paid with points yet: it takes 100 of them, 1 more is needed."),
        (98, "fa", "هنوز چیزی با امتیاز پرداخت نمی‌شود: دست‌کم ۱۰۰ امتیاز لازم است و ۲ امتیاز دیگر کم است."),
        (100, "en", "100 points can be spent."),
    ],
)
def test_who_has_fewer_points_than_are_redeemed_is_told_how_many_are_missing(
    cast: Cast, as_bob: Client, points: int, language: str, words: str
) -> None:
    with tenant(cast.saffron.pk):
        member = make_member(make_program())
        write_terms(program=member.program, document={"redemption": {"smallest": 100}}, actor=cast.alice_acts, now=timezone.now())
        Stage(member, now=timezone.now()).earn(points)
        own_page = reverse("member_page", args=[member_token(member.pk)])
    User.objects.filter(pk=cast.bob.pk).update(language=language)
    staff = as_bob.get(reverse("loyalty:member", args=[member.pk])).content.decode()
    own = Client().get(own_page, {"lang": language}).content.decode()
    assert words in staff
    assert (words in own) is (points < 100)
    assert (f"{points} points can be spent." in staff) is (points == 100)


@pytest.mark.parametrize("verb", ["give", "take"])
def test_what_the_front_desk_undoes_counts_within_its_day(cast: Cast, member: Member, as_alice: Client, as_bob: Client, verb: str) -> None:
    _post(as_alice, member, "give", "10000")
    for number in range(5):
        _post(as_alice, member, verb, "500", token=f"{TOKEN}-alice-{number}")
    with tenant(cast.saffron.pk):
        entries = list(Entry.objects.order_by("-id")[:5])
    before = _balance(cast)
    for entry in entries[:4]:
        assert "Undone." in _undo(as_bob, member, entry)
    assert "that is used up" in _undo(as_bob, member, entries[4])
    assert "that is used up" in _post(as_bob, member, "give", "1", token=f"{TOKEN}-bob").content.decode()
    assert "done before" in _undo(as_bob, member, entries[3])
    assert _balance(cast) - before == (2_000 if verb == "take" else -2_000)
    assert as_bob.get(reverse("loyalty:member", args=[member.pk])).context["most"] == 0
    assert "Undone." in _undo(as_alice, member, entries[4])
