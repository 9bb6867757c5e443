from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from accounts.audit import Actor, changed_fields, record_audit
from accounts.models.audit import ActorKind
from campaigns.actions.transitions import locked
from campaigns.models import AudienceMode, Campaign, CampaignAudience
from campaigns.refusals import CampaignStateError
from campaigns.rules import Step
from segmentation.models import Segment

WRITABLE = frozenset({"name", "channel", "purpose", "template", "account", "scheduled_at", "attribution_days"})


@transaction.atomic
def create_campaign(*, actor: Actor, include: Iterable[Segment] = (), exclude: Iterable[Segment] = (), **values: Any) -> Campaign:
    """Begin a draft; only its name has to be there.

    Args:
        values: fields of ``Campaign`` that people set: name, channel, purpose, template, account, scheduled_at, attribution_days.

    Raises:
        ValidationError: per field.
    """
    _refuse_unknown(values)
    campaign = Campaign(**values)
    campaign.created_by_id = actor.id if actor.kind == ActorKind.USER else None
    campaign.validate(trusted=["template", "account", "created_by"])
    campaign.save(force_insert=True)
    audience = _set_audience(campaign, list(include), list(exclude))
    record_audit(action="campaign.created", subject=campaign, actor=actor, after={**values, **audience})
    return campaign


@transaction.atomic
def update_campaign(
    *, campaign: Campaign, actor: Actor, include: Iterable[Segment] | None = None, exclude: Iterable[Segment] | None = None, **values: Any
) -> Campaign:
    """Change a draft; segments that are not given stay as they are.

    Raises:
        ValidationError: per field.
        CampaignStateError: it is no draft any more.
    """
    _refuse_unknown(values)
    campaign = locked(campaign, Step.CHANGE)
    before, after = changed_fields(campaign, values)
    campaign.validate(trusted=["template", "account", "created_by", "dispatch"])
    if after:
        campaign.save(update_fields=list(after))
    if include is not None or exclude is not None:
        was = _segments(campaign)
        given = {AudienceMode.INCLUDE: include, AudienceMode.EXCLUDE: exclude}
        wanted = [was[mode] if given[mode] is None else list(given[mode] or ()) for mode in AudienceMode]
        if was != dict(zip(AudienceMode, wanted, strict=True)):
            before |= _names(was)
            after |= _set_audience(campaign, *wanted)
    if after:
        record_audit(action="campaign.changed", subject=campaign, actor=actor, before=before, after=after)
    return campaign


@transaction.atomic
def duplicate_campaign(*, campaign: Campaign, actor: Actor, name: str = "") -> Campaign:
    """A new draft with the same audience, message and sender; its time is left open."""
    was = _segments(campaign)
    copy = create_campaign(
        actor=actor,
        include=was[AudienceMode.INCLUDE],
        exclude=was[AudienceMode.EXCLUDE],
        name=name or (_("Copy of %(name)s") % {"name": campaign.name})[:120],
        channel=campaign.channel,
        purpose=campaign.purpose,
        template=campaign.template,
        account=campaign.account,
        attribution_days=campaign.attribution_days,
    )
    record_audit(action="campaign.duplicated", subject=campaign, actor=actor, after={"copy": copy.pk})
    return copy


@transaction.atomic
def delete_campaign(*, campaign: Campaign, actor: Actor, now: datetime) -> None:
    """Delete a campaign that was never launched.

    Raises:
        CampaignStateError: it was launched; its messages and figures stay.
    """
    found = locked(campaign, Step.DELETE)
    if found.launched_at is not None or found.dispatch_id is not None:
        raise CampaignStateError(_("A campaign that was launched cannot be deleted: its messages and figures stay. Nothing was changed."))
    before = {"name": found.name, "state": found.state, **_names(_segments(found))}
    record_audit(action="campaign.deleted", subject=found, actor=actor, before=before)
    found.delete()


def _refuse_unknown(values: dict[str, Any]) -> None:
    if unknown := set(values) - WRITABLE:
        raise ValidationError({name: _("This field cannot be set.") for name in sorted(unknown)})


def _segments(campaign: Campaign) -> dict[AudienceMode, list[Segment]]:
    rows = CampaignAudience.objects.filter(campaign=campaign).select_related("segment").order_by("pk")
    segments: dict[AudienceMode, list[Segment]] = {mode: [] for mode in AudienceMode}
    for row in rows:
        segments[AudienceMode(row.mode)].append(row.segment)
    return segments


def _set_audience(campaign: Campaign, include: list[Segment], exclude: list[Segment]) -> dict[str, list[str]]:
    if both := {segment.pk for segment in include} & {segment.pk for segment in exclude}:
        name = next(segment.name for segment in include if segment.pk in both)
        raise ValidationError({"exclude": _("“%(name)s” cannot be included and excluded at once.") % {"name": name}})
    CampaignAudience.objects.filter(campaign=campaign).delete()
    wanted = {AudienceMode.INCLUDE: include, AudienceMode.EXCLUDE: exclude}
    rows = [CampaignAudience(campaign=campaign, segment=segment, mode=mode) for mode, segments in wanted.items() for segment in segments]
    CampaignAudience.objects.bulk_create(rows)
    return _names(wanted)


def _names(segments: dict[AudienceMode, list[Segment]]) -> dict[str, list[str]]:
    return {str(mode): [segment.name for segment in found] for mode, found in segments.items()}
