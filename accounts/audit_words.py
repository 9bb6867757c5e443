"""Audit entries in words: “Campaign: launched”, in the reader's language."""

from typing import Final

from django.apps import apps
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

# What was done, by the last part of an action.
VERBS: Final[dict[str, Promise]] = {
    "added": pgettext_lazy("what was done", "added"),
    "archived": pgettext_lazy("what was done", "archived"),
    "arrived": pgettext_lazy("what was done", "arrived"),
    "booked": pgettext_lazy("what was done", "booked"),
    "cancelled": pgettext_lazy("what was done", "cancelled"),
    "changed": pgettext_lazy("what was done", "changed"),
    "completed": pgettext_lazy("what was done", "completed"),
    "created": pgettext_lazy("what was done", "created"),
    "deleted": pgettext_lazy("what was done", "deleted"),
    "duplicated": pgettext_lazy("what was done", "duplicated"),
    "enrolled": pgettext_lazy("what was done", "enrolled"),
    "entered": pgettext_lazy("what was done", "entered by a platform administrator"),
    "exported": pgettext_lazy("what was done", "exported"),
    "failed": pgettext_lazy("what was done", "failed"),
    "filled": pgettext_lazy("what was done", "filled with demonstration data"),
    "given": pgettext_lazy("what was done", "given"),
    "granted": pgettext_lazy("what was done", "granted"),
    "held": pgettext_lazy("what was done", "held"),
    "imported": pgettext_lazy("what was done", "imported"),
    "invited": pgettext_lazy("what was done", "invited"),
    "launched": pgettext_lazy("what was done", "launched"),
    "let_go": pgettext_lazy("what was done", "let go on"),
    "moved": pgettext_lazy("what was done", "moved"),
    "no_show": pgettext_lazy("what was done", "did not come"),
    "opened": pgettext_lazy("what was done", "opened"),
    "paused": pgettext_lazy("what was done", "paused"),
    "pending": pgettext_lazy("what was done", "waiting for confirmation"),
    "redeemed": pgettext_lazy("what was done", "redeemed"),
    "refunded": pgettext_lazy("what was done", "refunded"),
    "rejected": pgettext_lazy("what was done", "rejected"),
    "restored": pgettext_lazy("what was done", "restored"),
    "resumed": pgettext_lazy("what was done", "resumed"),
    "returned": pgettext_lazy("what was done", "moved back"),
    "revoked": pgettext_lazy("what was done", "revoked"),
    "rewarded": pgettext_lazy("what was done", "rewarded"),
    "scheduled": pgettext_lazy("what was done", "scheduled"),
    "taken": pgettext_lazy("what was done", "taken"),
    "taken_back": pgettext_lazy("what was done", "taken back"),
    "tested": pgettext_lazy("what was done", "sent as a test"),
    "tier_changed": pgettext_lazy("what was done", "changed tier"),
    "undone": pgettext_lazy("what was done", "undone"),
    "unscheduled": pgettext_lazy("what was done", "taken off the schedule"),
    "use_undone": pgettext_lazy("what was done", "use undone"),
    "used": pgettext_lazy("what was done", "used"),
    "withdrawn": pgettext_lazy("what was done", "withdrawn"),
    "written": pgettext_lazy("what was done", "written"),
}
# Actions that tell of something else than the record beside which they stand.
_NOUNS: Final[dict[str, Promise]] = {"points": _("Points"), "customers": _("Customers"), "purchases": _("Purchases")}


def told_action(action: str, subject_type: str) -> str:
    """What was done to what; an action without words as it is written."""
    noun, _dot, verb = action.rpartition(".")
    if verb not in VERBS:
        return action
    return f"{_NOUNS.get(noun) or told_kind(subject_type)}: {VERBS[verb]}"


def told_kind(subject_type: str) -> str:
    """The kind of a subject, such as Customer for ``crm.customer``."""
    model = _model(subject_type)
    return capfirst(str(model._meta.verbose_name)) if model else subject_type


def told_field(subject_type: str, name: str) -> str:
    """A field of a subject as its forms call it."""
    model = _model(subject_type)
    try:
        return capfirst(str(getattr(model._meta.get_field(name), "verbose_name", name))) if model else name
    except FieldDoesNotExist:
        return capfirst(name.replace("_", " "))


def _model(subject_type: str) -> type[Model] | None:
    try:
        return apps.get_model(subject_type)
    except (LookupError, ValueError):
        return None
