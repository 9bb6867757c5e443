from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor, record_audit
from accounts.models import Location, Membership
from accounts.refusals import StandingError
from crm.actions.moments import lies_ahead
from crm.events import NewEvent, record_event
from crm.facts import count_visit
from crm.models import Customer, Visit, VisitState
from crm.normalisation import clean_text

AHEAD = {VisitState.BOOKED, VisitState.CANCELLED}
COUNTED = {VisitState.COMPLETED, VisitState.NO_SHOW}
NEXT_STATES = {
    VisitState.BOOKED: {VisitState.ARRIVED, VisitState.COMPLETED, VisitState.NO_SHOW, VisitState.CANCELLED},
    VisitState.ARRIVED: {VisitState.COMPLETED, VisitState.CANCELLED},
    VisitState.NO_SHOW: set(),
    VisitState.COMPLETED: set(),
    VisitState.CANCELLED: set(),
}


@transaction.atomic
def book_visit(
    *,
    customer: Customer,
    starts_at: datetime,
    actor: Actor,
    now: datetime,
    location: Location | None = None,
    staff: Membership | None = None,
    service: str = "",
    note: str = "",
    amount_minor: int = 0,
    state: VisitState = VisitState.BOOKED,
    source: str = "page",
) -> Visit:
    """Record an appointment, or with ``state=COMPLETED`` a walk-in that has ended.

    Raises:
        ValidationError: per field; also an amount below zero, or a visit that has happened in the future.
    """
    if amount_minor < 0:
        raise ValidationError({"amount_minor": _("An amount cannot be below zero.")})
    if state not in AHEAD and lies_ahead(starts_at, now):
        raise ValidationError({"starts_at": _("Only a visit that is booked can lie in the future.")})
    visit = Visit(
        customer=customer,
        location=location,
        staff=staff,
        service=service,
        note=note,
        amount_minor=amount_minor,
        starts_at=starts_at,
        state=state,
    )
    visit.validate(trusted=["customer", "location", "staff"])
    visit.save(force_insert=True)
    _tell(visit, actor, now, source, after={"customer": customer.pk, "starts_at": starts_at, "service": service})
    return visit


@transaction.atomic
def change_visit_state(*, visit: Visit, state: VisitState, actor: Actor, now: datetime, source: str = "page") -> Visit:
    """Move a visit on: booked → arrived → completed, or no-show, or cancelled. Repeating the last step changes nothing.

    Raises:
        StandingError: the step is not possible from where the visit is, or before its time.
    """
    visit = Visit.objects.select_for_update(of=("self",)).get(pk=visit.pk)
    if visit.state == state:
        return visit
    if state not in NEXT_STATES[VisitState(visit.state)]:
        message = _("A visit that is “%(now)s” cannot become “%(then)s”.")
        raise StandingError(message % {"now": visit.get_state_display(), "then": VisitState(state).label}, state=visit.state)
    if state in COUNTED and lies_ahead(visit.starts_at, now):
        raise StandingError(_("A visit cannot end before its time."), code="not_yet", state=visit.state)
    before, visit.state = visit.state, state
    visit.save(update_fields=["state"])
    _tell(visit, actor, now, source, before={"state": before}, after={"state": state})
    return visit


def _tell(visit: Visit, actor: Actor, now: datetime, source: str, *, after: dict[str, Any], before: dict[str, Any] | None = None) -> None:
    """Count the visit as it now stands, and record the change and the event."""
    count_visit(visit)
    action = f"visit.{visit.state}"
    record_audit(action=action, subject=visit, actor=actor, before=before, after=after)
    properties = {
        "visit": visit.pk,
        "service": clean_text(visit.service),
        "location": visit.location_id,
        "amount_minor": visit.amount_minor,
    }
    # What was done about an appointment happened now; a visit happened when it took place, whenever somebody says so.
    occurred_at = now if visit.state in AHEAD else min(visit.starts_at, now)
    record_event(NewEvent(action, occurred_at, visit.customer_id, source, properties))
