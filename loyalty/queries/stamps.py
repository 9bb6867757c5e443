"""Where members' stamp cards stand."""

from collections import Counter
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
    counted = MemberCard.objects.filter(member__in=family_of([member.pk])).annotate(filled_count=Count("filled"))
    theirs: Counter[int] = Counter()
    given: Counter[int] = Counter()
    for row in counted:
        theirs[row.card_id] += row.stamps
        given[row.card_id] += row.filled_count
    seen = []
    for card in StampCard.objects.filter(program_id=member.program_id).select_related("reward"):
        stamps, filled = theirs[card.pk], given[card.pk]
        takes_stamps = card.is_active and is_stamped(card, now)
        if stamps or takes_stamps:
            seen.append(CardSeen(card, standing(stamps=stamps, filled=filled, size=card.size), filled, takes_stamps))
    return seen


def stamps_by_hand(member: Member) -> QuerySet[Stamp]:
    """What was stamped by hand and not taken back, the latest first."""
    given = Stamp.objects.filter(member_card__member__in=family_of([member.pk]), key__startswith=BY_HAND, count__gt=0)
    return given.select_related("member_card__card").order_by("-pk")
