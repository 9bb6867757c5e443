"""Where members' stamp cards stand."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, QuerySet

from loyalty.ledger.families import family_of
from loyalty.models import Member, MemberCard, Stamp, StampCard
from loyalty.rules.stamps import BY_HAND, CardStanding, is_stamped, standing


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A stamp card as a member sees it."""

    card: StampCard
    standing: CardStanding
    filled: int
    takes_stamps: bool

    @property
    def slots(self) -> list[bool]:
        """Each place on the card, and whether it is stamped."""
        return [place < self.standing.stamps for place in range(self.standing.size)]


def cards_of(member: Member, *, now: datetime) -> list[CardSeen]:
    """The cards that take stamps now, and those on which the member has some."""
    cards = StampCard.objects.filter(program_id=member.program_id).select_related("reward")
    return [seen for seen, stamps in _seen(member, cards, now) if stamps or seen.takes_stamps]


def card_of(member: Member, card: StampCard, *, now: datetime) -> CardSeen:
    """One card, whether the member has stamps on it or not."""
    return next(seen for seen, _stamps in _seen(member, [card], now))


def _seen(member: Member, cards: Iterable[StampCard], now: datetime) -> Iterator[tuple[CardSeen, int]]:
    """Each card as the member sees it, with all the stamps that they ever had on it."""
    counted = MemberCard.objects.filter(member__in=family_of([member.pk])).annotate(filled_count=Count("filled"))
    theirs: Counter[int] = Counter()
    given: Counter[int] = Counter()
    for row in counted:
        theirs[row.card_id] += row.stamps
        given[row.card_id] += row.filled_count
    for card in cards:
        stamps, filled = theirs[card.pk], given[card.pk]
        stands = standing(stamps=stamps, filled=filled, size=card.size)
        yield CardSeen(card, stands, filled, card.is_active and is_stamped(card, now)), stamps


def stamps_by_hand(member: Member) -> QuerySet[Stamp]:
    """What was stamped by hand and not taken back, the latest first."""
    return ever_stamped_by_hand(member).filter(count__gt=0).order_by("-pk")


def stamp_by_hand(member: Member, *, card: StampCard, key: str) -> Stamp:
    """What was stamped under a key."""
    return ever_stamped_by_hand(member).get(member_card__card=card, key=f"{BY_HAND}{key}")


def ever_stamped_by_hand(member: Member) -> QuerySet[Stamp]:
    """What was stamped by hand, with what was taken back."""
    given = Stamp.objects.filter(member_card__member__in=family_of([member.pk]), key__startswith=BY_HAND)
    return given.select_related("member_card__card__reward")
