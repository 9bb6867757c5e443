"""Members bring people: codes, invitations, and joining by a code.

Who came by a code is decided once, for one person after another within a program. What it brings is decided by purchases
(``loyalty.actions.referral_rewards``).
"""

from datetime import datetime

from django.db import transaction

from accounts.audit import Actor, record_audit
from accounts.postgresql.turns import take_turn
from accounts.tenancy import current_organization_id
from crm.events import NewEvent, record_event
from crm.models import Customer, Purchase
from crm.normalisation.emails import normalise_email
from crm.normalisation.errors import NormalisationError
from loyalty.actions.members import enrol_member
from loyalty.codes import new_code
from loyalty.ledger.families import family_of
from loyalty.models import Member, Referral, ReferralCode, ReferralState, ReferredIdentity
from loyalty.queries.referrals import ancestors, people, referral_code
from loyalty.rules.referrals import Person, Rejection, flags, identities, rejection

CODE_LENGTH = 8


class UnknownCodeError(LookupError):
    """No active program of the organization has a member with this code."""


@transaction.atomic
def code_of(*, member: Member, now: datetime, device: str = "") -> ReferralCode:
    """The member's own code, made when it is first asked for. It has 39 random bits, and only brings its finder a referrer.

    Args:
        device: a hash of where it is asked from; referrals from there are flagged.
    """
    code, is_new = ReferralCode.objects.get_or_create(
        member=member, defaults={"code": new_code(CODE_LENGTH), "created_at": now, "device": device}
    )
    if device and not is_new and code.device != device:
        code.device = device
        code.save(update_fields=["device"])
    return code


@transaction.atomic
def invite(*, member: Member, email: str = "", phone: str = "", now: datetime, actor: Actor) -> Referral:
    """Note that a member invited somebody, of whom only a hash is kept; inviting them again changes nothing.

    Args:
        phone: as E.164.

    Raises:
        ValueError: neither an e-mail address nor a phone number, or one that cannot be.
    """
    try:
        emails = [normalise_email(email)] if email else []
    except NormalisationError as error:
        raise ValueError(error.code) from error
    known = identities(None, emails=emails, phones=[phone])
    if not known:
        raise ValueError("nobody")
    return _note_invited(member, min(known), now=now, actor=actor)


@transaction.atomic
def invite_known(*, code: str, customer: Customer, now: datetime, actor: Actor) -> None:
    """Note once that a customer was invited by a code, unless it is their own or they came by it before.

    Raises:
        UnknownCodeError: no such code.
    """
    referrer = _referrer(code)[1]
    came = Referral.objects.filter(referrer__in=family_of([referrer.pk]), customer=customer).exists()
    if not came and referrer.customer_id != customer.pk:
        (contact,) = identities(customer.pk)
        _note_invited(referrer, contact, now=now, actor=actor)


@transaction.atomic
def join_by_code(*, code: str, customer: Customer, now: datetime, actor: Actor, device: str = "") -> Referral:
    """Make a customer a member who came by a code. A referral that does not count says why; the customer is a member anyway.

    Raises:
        UnknownCodeError: no such code.
    """
    found, referrer = _referrer(code)
    enrol_member(program=referrer.program, customer=customer, now=now, actor=actor)
    _one_after_another(referrer.program_id)
    if known := Referral.objects.filter(referrer__in=family_of([referrer.pk]), customer=customer).first():
        return known
    return _refer(found, customer, now=now, actor=actor, device=device)


def _note_invited(member: Member, contact: str, *, now: datetime, actor: Actor) -> Referral:
    values = {"program_id": member.program_id, "state": ReferralState.INVITED, "invited_at": now}
    _one_after_another(member.program_id)
    referral, is_new = Referral.objects.get_or_create(referrer=member, contact=contact, defaults=values)
    if is_new:
        record_audit(action="referral.invited", subject=referral, actor=actor, after={"referrer": member.pk})
        tell_referral("referral.invited", referral, member, now)
    return referral


def _referrer(code: str) -> tuple[ReferralCode, Member]:
    """A code, and whoever holds the membership it is of."""
    found = referral_code(code)
    if found is None or not found.is_open:
        raise UnknownCodeError(code)
    return found, found.member.holder


def _refer(code: ReferralCode, customer: Customer, *, now: datetime, actor: Actor, device: str) -> Referral:
    referrer = code.member.holder
    above = ancestors(referrer.program_id, referrer.customer_id)
    known = people({customer.pk, referrer.customer_id, *above})
    referee, theirs = known[customer.pk], known[referrer.customer_id]
    claimed = ReferredIdentity.objects.filter(program_id=referrer.program_id, identity__in=referee.identities).exists()
    reason = rejection(referrer=theirs, referee=referee, ancestors=[known[one] for one in above], is_referred=claimed)
    invited = Referral.objects.filter(
        referrer__in=family_of([referrer.pk]), state=ReferralState.INVITED, contact__in=referee.identities
    ).first()
    referral = invited or Referral(program_id=referrer.program_id, referrer=referrer)
    referral.customer, referral.joined_at, referral.device = customer, now, device
    referral.state = ReferralState.REJECTED if reason else ReferralState.JOINED
    referral.rejection = reason or ""
    referral.flags = [] if reason else _noticed(code, referee, theirs, device, now)
    referral.save()
    if reason is None:
        claim(referral, referee)
    kind = f"referral.{referral.state}"
    after = {"referrer": referrer.pk, "customer": customer.pk, "reason": referral.rejection, "flags": referral.flags}
    record_audit(action=kind, subject=referral, actor=actor, after=after)
    tell_referral(kind, referral, referrer, now)
    return referral


def claim(referral: Referral, referee: Person) -> bool:
    """Note the referee's identities as referred; whether none of them was by another referral."""
    rows = [ReferredIdentity(program_id=referral.program_id, referral=referral, identity=one) for one in sorted(referee.identities)]
    ReferredIdentity.objects.bulk_create(rows, ignore_conflicts=True)
    theirs = ReferredIdentity.objects.filter(program_id=referral.program_id, identity__in=referee.identities)
    return not theirs.exclude(referral=referral).exists()


def reject(referral: Referral, reason: Rejection, *, now: datetime, actor: Actor) -> None:
    """Let a referral count no more."""
    before, referral.state, referral.rejection = referral.state, ReferralState.REJECTED, reason.value
    referral.save()
    record_audit(action="referral.rejected", subject=referral, actor=actor, before={"state": before}, after={"reason": reason.value})
    tell_referral("referral.rejected", referral, referral.referrer, now)


def tell_referral(kind: str, referral: Referral, referrer: Member, at: datetime) -> None:
    """Write an event about a referral, on the timeline of the referrer or of whoever their membership moved to."""
    referrer = referrer.holder
    properties = {
        "program": referral.program_id,
        "member": referrer.pk,
        "referral": referral.pk,
        "referee": referral.customer_id,
        "reason": referral.rejection,
        "points": referral.referrer_points,
    }
    record_event(NewEvent(kind, at, referrer.customer_id, "loyalty", properties))


def _noticed(code: ReferralCode, referee: Person, referrer: Person, device: str, now: datetime) -> list[str]:
    devices = {code.device, *Referral.objects.filter(referrer_id=code.member_id).values_list("device", flat=True)}
    has_bought = Purchase.objects.filter(customer_id=referee.customer_id, purchased_at__lt=now).exists()
    return [flag.value for flag in flags(referrer=referrer, referee=referee, device=device, known_devices=devices, has_bought=has_bought)]


def _one_after_another(program_id: int) -> None:
    # Two who refer each other at once would not see each other's rows, and two accounts of one person neither.
    take_turn(f"loyalty referrals {current_organization_id()}:{program_id}")
