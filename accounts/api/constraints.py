"""Constraints of the database in the API's words: which member of a body they are about, also where somebody else was faster."""

from collections.abc import Collection
from functools import cache

from django.apps import apps
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError
from django.db.models import BaseConstraint, Model, UniqueConstraint

TAKEN = "unique"


def told_at_members(error: ValidationError) -> dict[str, list[tuple[str, str]]]:
    """What is wrong by member, as (code, text); constraints name their field in the code of their error."""
    found: dict[str, list[tuple[str, str]]] = {}
    for name, items in error.error_dict.items():
        for item in items:
            member, code = _place_of(item) if name == NON_FIELD_ERRORS else (name, item.code or "invalid")
            found.setdefault(member, []).append((code, " ".join(item.messages)))
    return found


def taken_meanwhile(error: IntegrityError, body: Collection[str]) -> ValidationError | None:
    """What validation would have said a moment later; ``None`` where the database refuses no member of the body."""
    known = _constraints().get(getattr(getattr(error.__cause__, "diag", None), "constraint_name", None) or "")
    if known is None:
        return None
    model, constraint = known
    if not isinstance(constraint, UniqueConstraint):
        return None
    members = set(constraint.fields) - {"organization"}
    return ValidationError({NON_FIELD_ERRORS: [_violation(model, constraint)]}) if len(members) == 1 and members <= set(body) else None


def _violation(model: type[Model], constraint: UniqueConstraint) -> ValidationError:
    if constraint.violation_error_code:
        return ValidationError(constraint.get_violation_error_message(), code=constraint.violation_error_code)
    return model(organization_id=None).unique_error_message(model, constraint.fields)  # known, so that no scope is asked for it


def _place_of(item: ValidationError) -> tuple[str, str]:
    """Member and code."""
    checked = (item.params or {}).get("unique_check", ())
    if len(checked) == 1:
        return checked[0], TAKEN
    code = item.code or "invalid"
    return (code, _spoken()[code]) if code in _spoken() else (NON_FIELD_ERRORS, code)


@cache
def _spoken() -> dict[str, str]:
    """The code a program is told, by the member that constraints name."""
    named = {constraint.violation_error_code: constraint for _model, constraint in _constraints().values()}
    return {member: TAKEN if isinstance(constraint, UniqueConstraint) else member for member, constraint in named.items() if member}


@cache
def _constraints() -> dict[str, tuple[type[Model], BaseConstraint]]:
    return {constraint.name: (model, constraint) for model in apps.get_models() for constraint in model._meta.constraints}
