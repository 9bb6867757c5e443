"""Writes of segments: each in one transaction with its audit entry and its event."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from accounts.audit import Actor, changed_fields, record_audit
from accounts.refusals import StandingError
from accounts.tenancy import current_organization_id
from crm.events import NewEvent, record_event
from crm.models import Customer
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import read_rules, segment_customers
from segmentation.references import References, uses_elsewhere
from segmentation.rules import Problem, RulesError

WRITABLE = frozenset(["name", "description", "rules"])


@transaction.atomic
def create_segment(
    *, name: str, actor: Actor, now: datetime, rules: Any = None, description: str = "", kind: SegmentKind = SegmentKind.DYNAMIC
) -> Segment:
    """Create a segment that follows its rules, or an empty fixed list.

    Raises:
        ValidationError: per field; for ``rules``, every fault with the path to its node.
    """
    segment = Segment(name=name.strip(), description=description.strip(), kind=kind, rules=rules if rules is not None else {})
    _save(segment)
    after = {"name": segment.name, "kind": str(kind), "rules": segment.rules}
    _tell("segment.created", segment, actor, now, after=after)
    return segment


@transaction.atomic
def update_segment(*, segment: Segment, actor: Actor, now: datetime, **values: Any) -> Segment:
    """Change name, description or rules; only what differs is written and told.

    Raises:
        ValidationError: as ``create_segment``, or a field that cannot be changed.
    """
    if unknown := set(values) - WRITABLE:
        raise ValidationError({name: _("This field cannot be set.") for name in sorted(unknown)})
    segment = Segment.objects.select_for_update(of=("self",)).get(pk=segment.pk)
    before, after = changed_fields(segment, values)
    if not after:
        return segment
    if "rules" in after:
        segment.member_count = segment.counted_at = None
    _save(segment)
    _tell("segment.changed", segment, actor, now, before=before, after=after)
    return segment


@transaction.atomic
def delete_segment(*, segment: Segment, actor: Actor, now: datetime) -> None:
    """Delete a segment that nothing uses.

    Raises:
        StandingError: other segments, campaigns or programs use it.
    """
    if users := References().users_of(segment.pk):
        names = ", ".join(Segment.objects.filter(pk__in=users[:5]).values_list("name", flat=True))
        raise StandingError(_("These segments use it: %(names)s. Change them first.") % {"names": names}, code="in_use")
    if programs := uses_elsewhere(segment.pk):
        raise StandingError(_("It is in use by: %(names)s. Change them first.") % {"names": ", ".join(programs[:5])}, code="in_use")
    before = {"name": segment.name, "kind": segment.kind, "rules": segment.rules}
    _tell("segment.deleted", segment, actor, now, before=before)
    try:
        with transaction.atomic():
            segment.delete()
    except ProtectedError as error:
        names = ", ".join(sorted({str(user) for user in error.protected_objects})[:5])
        message = _("It is in use by: %(names)s. What was sent stays explained, so it is kept.") % {"names": names}
        raise StandingError(message, code="in_use") from error


@transaction.atomic
def snapshot_segment(*, segment: Segment, name: str, actor: Actor, now: datetime) -> Segment:
    """Keep who is in a segment now as a fixed list, written in one statement.

    Raises:
        ValidationError: the name is taken.
        RulesError: the rules were made for fields that no longer exist.
    """
    fixed = Segment(name=name.strip(), kind=SegmentKind.STATIC, description=_("As “%(name)s” was.") % {"name": segment.name})
    _save(fixed)
    chosen, params = segment_customers(segment, now=now).values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into {SegmentMember._meta.db_table} (organization_id, segment_id, customer_id, added_at)"  # noqa: S608 - compiled SQL
            f" select %s, %s, chosen.pk, %s from ({chosen}) as chosen (pk)",
            [current_organization_id(), fixed.pk, now, *params],
        )
        fixed.member_count, fixed.counted_at = cursor.rowcount, now
    fixed.save(update_fields=["member_count", "counted_at"])
    after = {"name": fixed.name, "from": segment.pk, "customers": fixed.member_count}
    _tell("segment.snapshot_taken", fixed, actor, now, after=after)
    return fixed


@transaction.atomic
def add_members(*, segment: Segment, customer_ids: Iterable[int], actor: Actor, now: datetime) -> int:
    """Put customers on a fixed list; those on it already stay. Gives how many were added.

    Raises:
        StandingError: the segment follows rules.
        ValidationError: a customer does not exist.
    """
    wanted = _listed(segment, customer_ids)
    present = set(SegmentMember.objects.filter(segment=segment, customer_id__in=wanted).values_list("customer_id", flat=True))
    SegmentMember.objects.bulk_create(
        (SegmentMember(segment=segment, customer_id=key) for key in sorted(wanted - present)), batch_size=5_000
    )
    return _membership_changed(segment, actor, now, "segment.members_added", sorted(wanted - present))


@transaction.atomic
def remove_members(*, segment: Segment, customer_ids: Iterable[int], actor: Actor, now: datetime) -> int:
    """Take customers off a fixed list. Gives how many were on it.

    Raises:
        StandingError: the segment follows rules.
        ValidationError: a customer does not exist.
    """
    wanted = _listed(segment, customer_ids)
    rows = SegmentMember.objects.filter(segment=segment, customer_id__in=wanted)
    present = sorted(rows.values_list("customer_id", flat=True))
    rows.delete()
    return _membership_changed(segment, actor, now, "segment.members_removed", present)


def note_size(*, segment: Segment, customers: int, now: datetime) -> None:
    """Remember how many customers a segment had, for lists of segments; no change of the segment itself."""
    Segment.objects.filter(pk=segment.pk).update(member_count=customers, counted_at=now)


def _listed(segment: Segment, customer_ids: Iterable[int]) -> set[int]:
    Segment.objects.select_for_update(of=("self",)).only("pk").get(pk=segment.pk)
    if segment.kind != SegmentKind.STATIC:
        message = _("The customers of this segment follow from its rules; only a fixed list is changed by hand.")
        raise StandingError(message, code="wrong_kind", kind=segment.kind)
    wanted = set(customer_ids)
    if missing := wanted - set(Customer.objects.filter(pk__in=wanted).values_list("pk", flat=True)):
        message = ngettext("Customer %(keys)s does not exist.", "Customers %(keys)s do not exist.", len(missing))
        raise ValidationError({"customers": message % {"keys": ", ".join(map(str, sorted(missing)[:10]))}})
    return wanted


def _membership_changed(segment: Segment, actor: Actor, now: datetime, action: str, keys: list[int]) -> int:
    if keys:
        note_size(segment=segment, customers=SegmentMember.objects.filter(segment=segment).count(), now=now)
        _tell(action, segment, actor, now, after={"customers": keys[:1000], "count": len(keys)})
    return len(keys)


def _save(segment: Segment) -> None:
    _validate(segment)
    with segment.refusing_late_duplicates(), transaction.atomic():
        segment.save(force_insert=segment.pk is None)


def _validate(segment: Segment) -> None:
    segment.validate()
    if segment.kind == SegmentKind.STATIC:
        if segment.rules:
            raise ValidationError({"rules": _("A fixed list has no rules.")})
        segment.rules = {}
        return
    try:
        read_rules(segment.rules, editing=segment if segment.pk else None)
    except RulesError as error:
        raise ValidationError({"rules": [problem_text(problem) for problem in error.problems]}) from error


def problem_text(problem: Problem) -> str:
    """A fault in the reader's language, led by the path to its node."""
    return f"{problem.path or _('rules')}: {_(problem.message) % dict(problem.params)}"


def _tell(
    action: str, segment: Segment, actor: Actor, now: datetime, *, before: dict[str, Any] | None = None, after: dict[str, Any] | None = None
) -> None:
    record_audit(action=action, subject=segment, actor=actor, before=before, after=after)
    record_event(NewEvent(action, now, source="page", properties={"segment": segment.pk, "name": segment.name}))
