"""Where members' stamp cards stand."""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count

from loyalty.models import Member, MemberCard, StampCard
from loyalty.rules.stamps import CardStanding, is_stamped, standing


@dataclass(frozen=True, slots=True)
class CardSeen:
    """A stamp card as a member sees it."""

    card: StampCard
    standing: CardStanding
    filled: int


def cards_of(member: Member, *, now: datetime) -> list[CardSeen]:
    """The cards that take stamps now, and those on which the member has some."""
    counted = MemberCard.objects.filter(member=member).annotate(filled_count=Count("filled"))
    theirs = {row.card_id: (row.stamps, row.filled_count) for row in counted}
    seen = []
    for card in StampCard.objects.filter(program_id=member.program_id).select_related("reward"):
        stamps, filled = theirs.get(card.pk, (0, 0))
        if stamps or (card.is_active and is_stamped(card, now)):
            seen.append(CardSeen(card, standing(stamps=stamps, filled=filled, size=card.size), filled))
    return seen
