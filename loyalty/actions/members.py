from datetime import datetime

from django.db import transaction

from accounts.audit import Actor, record_audit
from crm.events import NewEvent, record_event
from crm.models import Customer
from loyalty.actions.awards import award_sign_up
from loyalty.codes import new_code
from loyalty.models import Member, Program, Wallet
from loyalty.queries.programs import TermsBook

# Enough letters that guessing finds nobody.
NUMBER_LENGTH = 12


@transaction.atomic
def enrol_member(
    *,
    program: Program,
    customer: Customer,
    now: datetime,
    actor: Actor,
    joined_at: datetime | None = None,
    book: TermsBook | None = None,
) -> Member:
    """Make a customer a member of a program, with the points that joining brings; one who is a member already stays as they are."""
    member, is_new = Member.objects.get_or_create(
        program=program, customer=customer, defaults={"number": new_number(), "joined_at": joined_at or now}
    )
    if is_new:
        Wallet.objects.create(member=member, updated_at=now)
        record_audit(action="member.enrolled", subject=member, actor=actor, after={"program": program.pk, "customer": customer.pk})
        record_event(NewEvent("member.joined", member.joined_at, customer.pk, "loyalty", {"program": program.pk, "member": member.pk}))
        award_sign_up(member, book=book or TermsBook(), now=now, actor=actor)
    return member


def new_number() -> str:
    """A member number of about 59 random bits."""
    return new_code(NUMBER_LENGTH)
