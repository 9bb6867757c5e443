"""Stamp cards: a stamp per source, a voucher per full card, both taken back with refunds."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from accounts.audit import SYSTEM
from accounts.tenancy import tenant
from crm.actions.purchases import NewLine, record_purchase, refund_purchase
from crm.actions.visits import book_visit
from crm.models import Event, Purchase, VisitState
from loyalty.actions.catalogue import change_reward, create_reward
from loyalty.actions.programs import close_program, write_terms
from loyalty.actions.stamping import follow_stamps, stamp_sales
from loyalty.actions.stamps import CardInUseError, StampRefusedError, change_stamp_card, create_stamp_card, give_owed_vouchers, give_stamps
from loyalty.actions.vouchers import use_voucher
from loyalty.ledger.posting import KeyReusedError
from loyalty.ledger.stock import RewardRefusedError
from loyalty.models import FilledCard, Member, MemberCard, Stamp, StampCard, Voucher
from loyalty.queries.reward_checks import broken_promises
from loyalty.queries.stamps import cards_of
from loyalty.rules.stamps import CardStanding
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, make_member, make_program
from tests.loyalty.program_stage import Shop, open_program
from tests.loyalty.reward_stage import RewardStage, at_once, left, side_by_side

COFFEE = NewLine(300, category="coffee", product_code="flat-white")
CAKE = NewLine(450, category="cake")


@pytest.fixture
def stage(in_saffron: Cast) -> RewardStage:
    return staged()


def staged() -> RewardStage:
    stage = RewardStage(make_member())
    write_terms(program=stage.member.program, document={}, valid_from=stage.now - DAY, now=stage.now - DAY, actor=SYSTEM)
    return stage


def card_of(stage: RewardStage, **values: Any) -> StampCard:
    reward = values.pop("reward", None) or stage.reward(0, name="Free coffee", voucher_days=30)
    common = {"name": "Coffee card", "size": 3, "stamped_for": "purchase", "reward": reward}
    return create_stamp_card(program=stage.member.program, actor=SYSTEM, **{**common, **values})


def buy(stage: RewardStage, *lines: NewLine) -> Purchase:
    purchase = record_purchase(lines=lines or [COFFEE], purchased_at=stage.now, now=stage.now, actor=SYSTEM, customer=stage.member.customer)
    stamp_sales([purchase.pk], now=stage.now)
    return purchase


def refund(stage: RewardStage, purchase: Purchase, amount_minor: int) -> None:
    back = refund_purchase(purchase=purchase, amount_minor=amount_minor, refunded_at=stage.now, actor=SYSTEM)
    stamp_sales([back.pk], now=stage.now)


def seen(stage: RewardStage) -> tuple[CardStanding, int]:
    (card,) = cards_of(stage.member, now=stage.now)
    return card.standing, card.filled


def test_a_full_card_gives_a_voucher_that_costs_nothing_and_begins_anew(stage: RewardStage) -> None:
    card = card_of(stage)
    for _ in range(2):
        buy(stage)
    assert (seen(stage), Voucher.objects.count()) == ((CardStanding(3, 2), 0), 0)
    for _ in range(2):
        buy(stage)
    assert seen(stage) == (CardStanding(3, 1), 1)
    voucher = Voucher.objects.get()
    assert (voucher.points, voucher.cash_minor, voucher.entry_id, left(card.reward)) == (0, 0, None, (None, 1))
    assert voucher.expires_at == datetime(2026, 4, 2, 4, tzinfo=UTC)
    assert use_voucher(code=voucher.code, key="till", now=stage.now, actor=SYSTEM).state == "used"
    assert list(Event.objects.filter(kind__in=["stamp.given", "voucher.given"]).order_by("pk").values_list("kind", flat=True)) == [
        "stamp.given",
        "stamp.given",
        "stamp.given",
        "voucher.given",
        "stamp.given",
    ]
    assert broken_promises() == []


@pytest.mark.parametrize(
    ("stamped", "lines", "stamps"),
    [
        ({"stamped_for": "purchase"}, [COFFEE, CAKE], 1),
        ({"stamped_for": "purchase", "least_minor": 751}, [COFFEE, CAKE], 0),
        ({"stamped_for": "purchase", "least_minor": 750}, [COFFEE, CAKE], 1),
        ({"stamped_for": "category", "categories": ["coffee"]}, [COFFEE, NewLine(250, 2, category="coffee"), CAKE], 3),
        ({"stamped_for": "product", "products": ["flat-white"]}, [COFFEE, NewLine(250, 2, category="coffee"), CAKE], 1),
        ({"stamped_for": "visit"}, [COFFEE], 0),
    ],
)
def test_a_purchase_is_stamped_by_what_the_card_is_for(
    stage: RewardStage, stamped: dict[str, Any], lines: Sequence[NewLine], stamps: int
) -> None:
    card_of(stage, size=9, **stamped)
    buy(stage, *lines)
    assert seen(stage) == (CardStanding(9, stamps), 0)


def test_the_event_log_stamps_visits_and_purchases_once_however_often_it_is_read(stage: RewardStage) -> None:
    card_of(stage, stamped_for="visit")
    book_visit(customer=stage.member.customer, starts_at=stage.now, now=stage.now, actor=SYSTEM, state=VisitState.COMPLETED)
    book_visit(customer=stage.member.customer, starts_at=stage.now, now=stage.now, actor=SYSTEM)
    record_purchase(lines=[COFFEE], purchased_at=stage.now, now=stage.now, actor=SYSTEM, customer=stage.member.customer)
    for _ in range(3):
        follow_stamps(list(Event.objects.all()))
    assert (seen(stage), Stamp.objects.count()) == ((CardStanding(3, 1), 0), 1)


def test_a_refund_takes_back_the_stamps_of_what_came_back_and_no_others(stage: RewardStage) -> None:
    card_of(stage, size=9, stamped_for="category", categories=["coffee"])
    purchase = buy(stage, NewLine(300, 4, category="coffee"))
    refund(stage, purchase, 300)
    assert seen(stage) == (CardStanding(9, 3), 0)
    refund(stage, purchase, 900)
    assert seen(stage) == (CardStanding(9, 0), 0)


def close(stage: RewardStage, _card: StampCard) -> None:
    close_program(program=stage.member.program, actor=SYSTEM)


def leave(stage: RewardStage, _card: StampCard) -> None:
    Member.objects.filter(pk=stage.member.pk).update(is_active=False)


def end(stage: RewardStage, card: StampCard) -> None:
    change_stamp_card(card=card, valid_until=stage.now, actor=SYSTEM)


@pytest.mark.parametrize("ends", [close, leave, end])
def test_a_refund_takes_back_the_stamps_of_a_card_that_takes_no_more(
    stage: RewardStage, ends: Callable[[RewardStage, StampCard], None]
) -> None:
    card = card_of(stage, size=2)
    returned, _kept = buy(stage), buy(stage)
    ends(stage, card)
    refund(stage, returned, 300)
    assert seen(stage) == (CardStanding(2, 1), 0)
    assert (Voucher.objects.get().state, left(card.reward)) == ("cancelled", (None, 0))
    buy(stage)
    assert (seen(stage), broken_promises()) == ((CardStanding(2, 1), 0), [])


def test_more_pieces_that_come_back_than_leave_give_no_stamp_and_stop_nobody_elses(stage: RewardStage) -> None:
    card_of(stage, stamped_for="product", products=["flat-white"])
    buy(stage, NewLine(300, -1, product_code="flat-white"), NewLine(9_000, product_code="machine"))
    assert (seen(stage), Stamp.objects.count()) == ((CardStanding(3, 0), 0), 0)
    buy(stage, NewLine(300, 2, product_code="flat-white"))
    assert seen(stage) == (CardStanding(3, 2), 0)


def test_a_sale_of_very_many_pieces_gives_what_can_be_given_at_once_and_the_sweep_the_rest(stage: RewardStage) -> None:
    card_of(stage, size=6, stamped_for="product", products=["screw"])
    buy(stage, NewLine(1, 40_000, product_code="screw"))
    assert (Stamp.objects.get().count, Voucher.objects.count()) == (1_000, 100)
    assert [give_owed_vouchers(now=stage.now) for _ in range(2)] == [66, 0]
    assert seen(stage) == (CardStanding(6, 4), 166)


def test_a_new_card_stamps_new_sales_alone_also_of_those_who_once_brought_something_back(in_saffron: Cast) -> None:
    program = open_program()
    stage = RewardStage(make_member(program))
    shop = Shop(program, stage.member.customer)
    for months in range(1, 10):
        shop.buy(("x", 300), at=stage.now - months * 30 * DAY)
    shop.bring_back("x", 300, at=stage.now - 20 * DAY)
    old = shop.buy(("y", 500), at=stage.now - 10 * DAY)
    card_of(stage)
    buy(stage)
    assert (seen(stage), Voucher.objects.count()) == ((CardStanding(3, 1), 0), 0)
    refund(stage, old, 100)
    assert (seen(stage), Stamp.objects.count()) == ((CardStanding(3, 1), 0), 1)


def test_a_sale_that_was_given_back_before_it_was_seen_is_stamped_once_the_refund_is_of_another(stage: RewardStage) -> None:
    card_of(stage)
    shop = Shop(stage.member.program, stage.member.customer, waits=True)
    sold = shop.buy(("x", 300), at=stage.now - DAY / 2)
    shop.bring_back("x", 300, at=stage.now)
    stamp_sales([sold.pk], now=stage.now)
    assert (seen(stage), Event.objects.filter(kind__startswith="stamp.").count()) == ((CardStanding(3, 0), 0), 0)
    later = shop.buy(("x", 300), at=stage.now - DAY / 3)
    stamp_sales([later.pk], now=stage.now)
    assert (seen(stage), list(Stamp.objects.order_by("key").values_list("key", "count"))) == (
        (CardStanding(3, 1), 0),
        [(f"purchase:{sold.pk}", 1), (f"purchase:{later.pk}", 0)],
    )


def test_a_card_that_is_not_full_any_more_takes_its_unused_voucher_back(stage: RewardStage) -> None:
    card = card_of(stage, reward=stage.reward(0, stock=5))
    bought = [buy(stage) for _ in range(3)]
    assert left(card.reward) == (5, 1)
    refund(stage, bought[1], 300)
    assert (seen(stage), left(card.reward), Voucher.objects.get().state) == ((CardStanding(3, 2), 0), (5, 0), "cancelled")
    buy(stage)
    assert (seen(stage), left(card.reward), FilledCard.objects.count()) == ((CardStanding(3, 0), 1), (5, 1), 1)
    assert broken_promises() == []


def test_stamps_lost_after_the_voucher_was_used_are_owed_to_the_next_card(stage: RewardStage) -> None:
    card_of(stage)
    bought = [buy(stage) for _ in range(3)]
    stage.use(Voucher.objects.get())
    refund(stage, bought[0], 300)
    assert seen(stage) == (CardStanding(3, 0, owed=1), 1)
    for _ in range(3):
        buy(stage)
    assert (seen(stage), Voucher.objects.count()) == ((CardStanding(3, 2), 1), 1)
    buy(stage)
    assert (seen(stage), Voucher.objects.count()) == ((CardStanding(3, 0), 2), 2)


def test_a_full_card_whose_reward_is_sold_out_gets_its_voucher_when_there_is_one_again(stage: RewardStage) -> None:
    reward = stage.reward(0, stock=0)
    card_of(stage, reward=reward)
    for _ in range(3):
        buy(stage)
    assert (seen(stage), give_owed_vouchers(now=stage.now)) == ((CardStanding(3, 3), 0), 0)
    change_reward(reward=reward, actor=SYSTEM, stock=1)
    assert [give_owed_vouchers(now=stage.now) for _ in range(2)] == [1, 0]
    assert (seen(stage), left(reward)) == ((CardStanding(3, 0), 1), (1, 1))


def test_stamps_by_hand_count_once_per_key(stage: RewardStage) -> None:
    card = card_of(stage)
    give = partial(give_stamps, member=stage.member, card=card, now=stage.now, actor=SYSTEM)
    give(key="tap-1", count=2)
    assert give(key="tap-1", count=2).stamps == 2
    with pytest.raises(KeyReusedError):
        give(key="tap-1", count=1)
    for count in (0, 21):
        with pytest.raises(StampRefusedError):
            give(key="tap-2", count=count)
    change_stamp_card(card=card, actor=SYSTEM, is_active=False)
    card.refresh_from_db()
    with pytest.raises(StampRefusedError):
        give(key="tap-2", card=card)
    assert MemberCard.objects.get().stamps == 2


def test_a_card_gives_no_reward_of_another_program(stage: RewardStage) -> None:
    reward = create_reward(program=make_program("other"), actor=SYSTEM, name="Theirs", points=0)
    with pytest.raises(ValidationError) as error:
        card_of(stage, reward=reward)
    assert (list(error.value.message_dict), StampCard.objects.count()) == (["reward"], 0)


def test_what_a_card_counts_stays_once_somebody_has_stamps(stage: RewardStage) -> None:
    card = card_of(stage)
    change_stamp_card(card=card, actor=SYSTEM, size=4)
    buy(stage)
    with pytest.raises(CardInUseError):
        change_stamp_card(card=card, actor=SYSTEM, size=3)
    change_stamp_card(card=card, actor=SYSTEM, name="Coffee for friends")
    card.refresh_from_db()
    assert (card.size, card.name) == (4, "Coffee for friends")


def test_16_stamps_at_once_fill_one_card_once(committed_cast: Cast) -> None:
    with tenant(committed_cast.saffron.pk):
        stage = staged()
        card = card_of(stage, size=10, reward=stage.reward(0, stock=5))
    give = [
        partial(give_stamps, member=stage.member, card=card, key=f"tap-{number % 12}", now=stage.now, actor=SYSTEM) for number in range(16)
    ]
    assert [answer for answer in at_once(committed_cast.saffron.pk, give) if isinstance(answer, Exception)] == []
    with tenant(committed_cast.saffron.pk):
        assert (seen(stage), Voucher.objects.count(), left(card.reward), broken_promises()) == ((CardStanding(10, 2), 1), 1, (5, 1), [])


def test_cards_that_fill_and_empty_beside_redemptions_of_one_reward_wait_in_no_circle(committed_cast: Cast) -> None:
    organization_id = committed_cast.saffron.pk
    with tenant(organization_id):
        stage = staged()
        reward = stage.reward(10, stock=6)
        card_of(stage, size=1, reward=reward)
        members = [stage, *(RewardStage(make_member(stage.member.program), keys=stage.keys) for _ in range(5))]
        for member in members:
            member.earn(1_000)

    def collect(member: RewardStage) -> None:
        for _ in range(4):
            with tenant(organization_id):
                first, second = buy(member), buy(member)
            with tenant(organization_id):
                refund(member, first, 300)
                refund(member, second, 300)

    def redeem(member: RewardStage) -> None:
        for _ in range(4):
            with tenant(organization_id), suppress(RewardRefusedError):
                voucher = member.buy(reward).voucher
                member.give_back(voucher)

    acts = [partial(collect if place % 2 else redeem, member) for place, member in enumerate(members)]
    assert side_by_side(acts) == [None] * 6
    with tenant(organization_id):
        assert (broken_promises(), left(reward), FilledCard.objects.count()) == ([], (6, 0), 0)


def test_another_organization_sees_no_card_and_stamps_none(cast: Cast) -> None:
    with tenant(cast.saffron.pk):
        stage = staged()
        card = card_of(stage)
        purchase = record_purchase(lines=[COFFEE], purchased_at=stage.now, now=stage.now, actor=SYSTEM, customer=stage.member.customer)
    with tenant(cast.rival.pk):
        assert (StampCard.objects.count(), MemberCard.objects.count()) == (0, 0)
        assert stamp_sales([purchase.pk], now=stage.now) == 0
        with pytest.raises(ValueError):
            give_stamps(member=stage.member, card=card, key="tap", now=stage.now, actor=SYSTEM)
    with tenant(cast.saffron.pk):
        assert Stamp.objects.count() == 0
