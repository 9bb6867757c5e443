"""Both sides are rewarded once, after a purchase of which nothing comes back."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from config.reactions import react
from crm.actions.purchases import NewLine, record_purchase, refund_purchase
from crm.models import Customer, Event, Identity, Purchase
from loyalty.actions.members import enrol_member
from loyalty.actions.moving import move_member
from loyalty.actions.points import redeem_points
from loyalty.actions.programs import write_terms
from loyalty.actions.referral_rewards import finish_referrals, follow_referrals, settle_referrals
from loyalty.actions.referrals import UnknownCodeError, code_of, invite, join_by_code
from loyalty.ledger.posting import settle_member
from loyalty.models import Entry, Member, Program, Referral, ReferredIdentity, Wallet
from loyalty.queries.referrals import ReferralFigures, member_figures, program_figures
from loyalty.queries.reward_checks import broken_promises
from tests.conftest import Cast
from tests.factories import CustomerFactory
from tests.loyalty.ledger_stage import DAY, NOW, make_program
from tests.loyalty.program_stage import Shop, broken, open_program
from tests.loyalty.reward_stage import at_once

RULE = {"key": "friends", "on": "referral", "points": 500, "referee_points": 200, "refund_days": 14}


@dataclass
class Town:
    """A program that rewards referrals, and who lives there."""

    program: Program
    now: datetime = NOW

    def member(self, **values: Any) -> Member:
        return enrol_member(program=self.program, customer=CustomerFactory.create(**values), now=self.now, actor=SYSTEM)

    def join(self, referrer: Member, customer: Customer | None = None, *, device: str = "", **values: Any) -> Referral:
        code = code_of(member=referrer, now=self.now).code
        return join_by_code(code=code, customer=customer or CustomerFactory.create(**values), now=self.now, actor=SYSTEM, device=device)

    def buy(self, referral: Referral, amount: int = 5_000, *, after: timedelta = timedelta()) -> Purchase:
        bought = record_purchase(
            lines=[NewLine(amount)], purchased_at=self.now + after, now=self.now + after, actor=SYSTEM, customer=referral.customer
        )
        self.settle(referral)
        return bought

    def refund(self, purchase: Purchase, amount: int) -> None:
        at = max(self.now, purchase.purchased_at)
        refund_purchase(purchase=purchase, amount_minor=amount, refunded_at=at, actor=SYSTEM)
        assert purchase.customer_id is not None
        settle_referrals(customer_ids=[purchase.customer_id], now=self.now)

    def settle(self, referral: Referral) -> int:
        assert referral.customer_id is not None
        return settle_referrals(customer_ids=[referral.customer_id], now=self.now)

    def wallets(self, referral: Referral) -> list[tuple[int, int, int]]:
        """Balance, pending and debt of the referrer and of the referred, by the clock of now."""
        referee = Member.objects.get(program=self.program, customer=referral.customer)
        for member_id in (referral.referrer_id, referee.pk):
            settle_member(member_id=member_id, now=self.now)
        both = [Wallet.objects.get(member_id=member_id) for member_id in (referral.referrer_id, referee.pk)]
        return [(wallet.balance, wallet.pending, wallet.debt) for wallet in both]


@pytest.fixture
def town(in_saffron: Cast) -> Town:
    return make_town()


def make_town(**rule: Any) -> Town:
    program = make_program()
    write_terms(program=program, document={"earn": [{**RULE, **rule}]}, now=NOW - DAY, actor=SYSTEM)
    return Town(program)


def state(referral: Referral) -> tuple[str, str]:
    referral.refresh_from_db()
    return referral.state, referral.rejection


def test_both_sides_get_points_that_are_pending_until_the_time_for_refunds_is_over(town: Town) -> None:
    referral = town.join(town.member())
    assert state(referral) == ("joined", "")
    purchase = town.buy(referral)
    assert (state(referral), referral.purchase, referral.referrer_points, referral.referee_points) == (
        ("qualified", ""),
        purchase,
        500,
        200,
    )
    assert town.wallets(referral) == [(0, 500, 0), (0, 200, 0)]
    town.now += 15 * DAY
    assert town.wallets(referral) == [(500, 0, 0), (200, 0, 0)]
    assert (finish_referrals(now=town.now), finish_referrals(now=town.now)) == (1, 0)
    assert state(referral) == ("rewarded", "")
    assert list(Event.objects.filter(kind__startswith="referral.").order_by("pk").values_list("kind", flat=True)) == [
        "referral.joined",
        "referral.qualified",
        "referral.rewarded",
    ]


def test_the_event_log_rewards_once_however_often_it_is_read_and_later_purchases_bring_nothing(town: Town) -> None:
    referral = town.join(town.member())
    for _ in range(3):
        record_purchase(lines=[NewLine(100)], purchased_at=town.now, now=town.now, actor=SYSTEM, customer=referral.customer)
    for _ in range(3):
        follow_referrals(list(Event.objects.all()))
    assert Counter(Entry.objects.values_list("kind", "amount")) == {("earn", 500): 1, ("earn", 200): 1}


def test_reactions_to_the_event_log_reward_and_take_back(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        town = make_town()
        referral = town.join(town.member())
        sale = record_purchase(lines=[NewLine(100)], purchased_at=town.now, now=town.now, actor=SYSTEM, customer=referral.customer)
    react(organization_id=committed_cast.saffron.pk)
    with tenant(committed_cast.saffron.pk):
        assert (state(referral), Entry.objects.filter(kind="earn").count()) == (("rewarded", ""), 2)
        refund_purchase(purchase=sale, amount_minor=100, refunded_at=town.now, actor=SYSTEM)
    react(organization_id=committed_cast.saffron.pk)
    with tenant(committed_cast.saffron.pk):
        assert (state(referral), set(Wallet.objects.values_list("balance", "pending", "debt"))) == (("rejected", "refunded"), {(0, 0, 0)})
        assert broken_promises() == []


def test_a_purchase_before_they_came_does_not_count(town: Town) -> None:
    referral = town.join(town.member())
    town.buy(referral, after=-DAY)
    assert state(referral) == ("joined", "")


def test_a_refund_in_time_cancels_the_pending_points_of_both(town: Town) -> None:
    referral = town.join(town.member())
    purchase = town.buy(referral, 5_000)
    town.now += 3 * DAY
    town.refund(purchase, 1)
    assert (state(referral), town.wallets(referral)) == (("rejected", "refunded"), [(0, 0, 0), (0, 0, 0)])
    town.refund(purchase, 4_999)
    assert sorted(Entry.objects.values_list("kind", flat=True)) == ["cancel", "cancel", "earn", "earn"]
    town.now += 30 * DAY
    assert (finish_referrals(now=town.now), town.wallets(referral)) == (0, [(0, 0, 0), (0, 0, 0)])


def test_a_late_refund_claws_back_what_was_rewarded_even_into_debt(town: Town) -> None:
    referral = town.join(town.member())
    purchase = town.buy(referral)
    town.now += 20 * DAY
    finish_referrals(now=town.now)
    redeem_points(member_id=referral.referrer_id, amount=450, key="spent", now=town.now, actor=SYSTEM)
    town.refund(purchase, 5_000)
    assert (state(referral), town.wallets(referral)) == (("rejected", "refunded"), [(0, 0, 450), (0, 0, 0)])


def test_after_a_refund_the_next_purchase_that_stands_counts(town: Town) -> None:
    referral = town.join(town.member())
    first = town.buy(referral)
    second = town.buy(referral, after=timedelta(minutes=5))
    assert state(referral) == ("qualified", "")
    town.refund(first, 5_000)
    assert (state(referral), referral.purchase) == (("qualified", ""), second)
    assert town.wallets(referral) == [(0, 500, 0), (0, 200, 0)]
    town.refund(second, 5_000)
    assert (state(referral), town.wallets(referral)) == (("rejected", "refunded"), [(0, 0, 0), (0, 0, 0)])
    town.buy(referral)
    assert (state(referral), town.wallets(referral)) == (("qualified", ""), [(0, 500, 0), (0, 200, 0)])


def test_a_purchase_that_turns_out_to_stand_after_all_counts_again_each_time_once(in_saffron: Cast) -> None:
    rule = RULE | {"refund_days": 0}
    shop = Shop(open_program(earn=[rule]))
    town = Town(shop.program)
    referral = town.join(town.member(), shop.customer)
    shop.now = town.now = NOW + 9 * DAY

    def standing() -> tuple[str, list[tuple[int, int, int]]]:
        for _ in range(2):
            town.settle(referral)
        return state(referral)[0], town.wallets(referral)

    given, taken = ("rewarded", [(500, 0, 0), (200, 0, 0)]), ("rejected", [(0, 0, 0), (0, 0, 0)])
    first = shop.buy(("OIL", 30_000), at=NOW + DAY)
    seen = [standing()]
    for days in (8, 7):
        shop.bring_back("OIL", 30_000, at=NOW + days * DAY)
        seen.append(standing())
        shop.buy(("OIL", 30_000), at=NOW + (days - 4) * DAY)  # explains the refund better
        seen.append(standing())
    assert seen == [given, taken, given, taken, given]
    base = f"referral:{referral.pk}:referrer:{first.pk}"
    assert [key for key in Entry.objects.order_by("pk").values_list("key", flat=True) if key and key.startswith(base)] == [
        base,
        f"{base}:back",
        f"{base}:1",
        f"{base}:1:back",
        f"{base}:2",
    ]
    assert broken() == {}


def test_nobody_refers_themselves(town: Town) -> None:
    nora = town.member(email="nora@gmail.com", phone="+12025550123")
    assert nora.customer is not None
    by_themselves = town.join(nora, nora.customer)
    by_dots = town.join(nora, email="no.ra+friend@googlemail.com")
    by_an_old_phone = CustomerFactory.create()
    Identity.objects.create(customer=by_an_old_phone, kind="phone", value="+12025550123")
    for referral in (by_themselves, by_dots, town.join(nora, by_an_old_phone)):
        town.buy(referral)
        assert (state(referral), town.wallets(referral)[0]) == (("rejected", "self"), (0, 0, 0))
    assert ReferredIdentity.objects.count() == 0


def test_who_turns_out_to_be_the_referrer_is_rejected_when_they_buy(town: Town) -> None:
    nora = town.member(email="nora@gmail.com")
    referral = town.join(nora)
    assert state(referral) == ("joined", "")
    Customer.objects.exclude(pk=nora.customer_id).update(email="n.o.r.a@gmail.com")
    town.buy(referral)
    assert (state(referral), town.wallets(referral)) == (("rejected", "self"), [(0, 0, 0), (0, 0, 0)])


def test_who_turns_out_to_be_the_referrer_by_a_merge_is_rejected_when_they_buy(town: Town) -> None:
    referrer = town.member()
    referral = town.join(referrer)
    assert referral.customer is not None
    move_member(member_id=referrer.pk, to_customer=referral.customer, now=NOW, actor=SYSTEM)
    town.buy(referral)
    assert (state(referral), Entry.objects.filter(kind="earn").count()) == (("rejected", "self"), 0)


@pytest.mark.parametrize("length", [2, 3])
def test_who_turns_out_to_have_brought_the_referrer_is_rejected_when_they_buy(town: Town, length: int) -> None:
    first = referrer = town.member()
    for _link in range(length - 1):
        referrer = Member.objects.get(customer=town.join(referrer).customer)
    closing = town.join(referrer, phone="+12025550101")
    assert state(closing) == ("joined", "")
    Identity.objects.create(customer=first.customer, kind="phone", value="+12025550101")
    town.buy(closing)
    assert (state(closing), Entry.objects.filter(kind="earn").count()) == (("rejected", "cycle"), 0)


def test_a_circle_is_seen_through_memberships_that_moved(town: Town) -> None:
    first, other = town.member(), town.member()
    brought = Member.objects.get(customer=town.join(first).customer)
    assert first.customer is not None
    assert other.customer is not None
    move_member(member_id=brought.pk, to_customer=other.customer, now=NOW, actor=SYSTEM)
    closing = town.join(other, first.customer)
    assert state(closing) == ("rejected", "cycle")
    assert state(town.join(other)) == ("joined", "")


@pytest.mark.parametrize("length", [2, 3])
def test_members_do_not_refer_each_other_in_a_circle(town: Town, length: int) -> None:
    chain = [town.member()]
    for _ in range(length - 1):
        referral = town.join(chain[-1])
        chain.append(Member.objects.get(customer=referral.customer))
    assert chain[0].customer is not None
    closing = town.join(chain[-1], chain[0].customer)
    town.buy(closing)
    assert state(closing) == ("rejected", "cycle")
    assert Entry.objects.count() == 0


def test_one_identity_is_referred_once_whoever_asks(town: Town) -> None:
    nora, omid = town.member(), town.member()
    first = town.join(nora, email="kim@gmail.com")
    assert town.join(nora, first.customer) == first
    assert first.customer is not None
    for again in (town.join(omid, first.customer), town.join(omid, email="k.im@gmail.com"), town.join(nora, email="kim+2@gmail.com")):
        town.buy(again)
        assert state(again) == ("rejected", "referred_before")
    assert Entry.objects.filter(member=omid).count() == 0


def test_two_accounts_of_one_person_joining_at_once_count_once(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        town = make_town()
        referrers = [town.member() for _ in range(8)]
        people = [CustomerFactory.create(email=f"kim+{number}@example.com") for number in range(8)]
    joins = [partial(town.join, referrer, customer) for referrer, customer in zip(referrers, people, strict=True)]
    answers = at_once(committed_cast.saffron.pk, joins)
    assert Counter((answer.state, answer.rejection) for answer in answers) == {("joined", ""): 1, ("rejected", "referred_before"): 7}


def test_two_who_refer_each_other_at_once_make_no_circle(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        town = make_town()
        pairs = [(town.member(), town.member()) for _ in range(4)]
    for one, other in pairs:
        acts = [partial(town.join, one, other.customer), partial(town.join, other, one.customer)]
        answers = at_once(committed_cast.saffron.pk, acts)
        assert sorted((answer.state, answer.rejection) for answer in answers) == [("joined", ""), ("rejected", "cycle")]


def test_one_purchase_seen_by_many_at_once_rewards_once(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        town = make_town()
        referral = town.join(town.member())
        record_purchase(lines=[NewLine(100)], purchased_at=town.now, now=town.now, actor=SYSTEM, customer=referral.customer)
    at_once(committed_cast.saffron.pk, [partial(town.settle, referral) for _ in range(8)])
    with tenant(committed_cast.saffron.pk):
        assert town.wallets(referral) == [(0, 500, 0), (0, 200, 0)]


def test_a_shared_address_or_device_is_flagged_and_rewarded_all_the_same(town: Town) -> None:
    home: dict[str, Any] = {"street": "1 Main St", "postal_code": "10001", "city": "New York"}
    nora = town.member(**home)
    code_of(member=nora, now=town.now, device="tablet")
    referral = town.join(nora, device="tablet", **(home | {"street": " 1  main st"}))
    assert (state(referral), referral.flags) == (("joined", ""), ["address", "device"])
    town.buy(referral)
    assert state(referral) == ("qualified", "")
    assert town.join(nora, device="phone").flags == []
    assert town.join(nora, device="phone").flags == ["device"]


def test_a_cap_limits_what_one_member_gets_for_bringing_people(in_saffron: Cast) -> None:
    town = make_town(cap={"points": 800, "per": "year"})
    nora = town.member()
    for _ in range(3):
        referral = town.join(nora)
        town.buy(referral)
    assert list(Referral.objects.order_by("pk").values_list("referrer_points", "referee_points")) == [(500, 200), (300, 200), (0, 200)]


def test_an_invitation_is_kept_as_a_hash_and_becomes_the_referral_of_whom_it_was_for(town: Town) -> None:
    nora = town.member()
    invited = invite(member=nora, email="Kim+x@Gmail.com", now=town.now, actor=SYSTEM)
    assert invite(member=nora, email="kim@gmail.com", now=town.now, actor=SYSTEM) == invited
    assert (state(invited), "kim" in str(Referral.objects.values().get())) == (("invited", ""), False)
    joined = town.join(nora, email="k.i.m@gmail.com")
    assert (joined, state(joined)) == (invited, ("joined", ""))
    with pytest.raises(ValueError, match="email_invalid"):
        invite(member=nora, email="nobody", now=town.now, actor=SYSTEM)


def test_an_unknown_code_or_one_of_a_member_who_left_brings_nobody(town: Town) -> None:
    nora = town.member()
    code = code_of(member=nora, now=town.now)
    assert code_of(member=nora, now=town.now) == code
    assert len(code.code) == 8
    Member.objects.filter(pk=nora.pk).update(is_active=False)
    for typed in (code.code, "AAAAAAAA"):
        with pytest.raises(UnknownCodeError):
            join_by_code(code=typed, customer=CustomerFactory.create(), now=town.now, actor=SYSTEM)
    assert Referral.objects.count() == 0


def test_the_figures_of_a_program_and_a_member(town: Town) -> None:
    nora, omid = town.member(email="nora@gmail.com"), town.member()
    invite(member=nora, email="late@example.com", now=town.now, actor=SYSTEM)
    town.join(nora)
    rewarded = town.join(nora)
    town.buy(rewarded, 5_000)
    town.buy(rewarded, 1_000)
    town.join(nora, email="n.ora@gmail.com")
    refunded = town.join(nora)
    town.refund(town.buy(refunded, 3_000), 1_000)
    town.now += 15 * DAY
    finish_referrals(now=town.now)
    town.buy(town.join(omid), 700)
    assert member_figures(nora.pk) == ReferralFigures(1, 1, 0, 1, {"self": 1, "refunded": 1}, 0, 700, 8_000)
    assert member_figures(omid.pk) == ReferralFigures(qualified=1, points=700, revenue_minor=700)
    assert program_figures(town.program.pk) == ReferralFigures(1, 1, 1, 1, {"self": 1, "refunded": 1}, 0, 1_400, 8_700)


def test_another_organization_sees_no_referral_and_joins_by_no_code(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        town = make_town()
        referral = town.join(town.member())
        code = code_of(member=referral.referrer, now=town.now).code
        town.buy(referral)
    with tenant(cast.rival.pk):
        assert (Referral.objects.count(), ReferredIdentity.objects.count()) == (0, 0)
        with pytest.raises(UnknownCodeError):
            join_by_code(code=code, customer=CustomerFactory.create(), now=town.now, actor=SYSTEM)
        assert (town.settle(referral), finish_referrals(now=town.now + 99 * DAY)) == (0, 0)
        assert program_figures(town.program.pk) == ReferralFigures()
    with tenant(cast.saffron.pk):
        assert state(referral) == ("qualified", "")
