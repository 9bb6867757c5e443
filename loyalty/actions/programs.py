"""Programs and their terms: made, opened, closed; terms are never changed, only followed by a new version."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.text import slugify
from django.utils.translation import gettext as _

from accounts.audit import Actor, changed_fields, record_audit
from accounts.models import Location
from loyalty.models import Program, ProgramState, Terms
from loyalty.queries.programs import terms_in_force
from loyalty.rules.terms import ProgramTerms, TermsError, parse_terms, terms_document
from segmentation.actions import problem_text
from segmentation.queries import read_rules
from segmentation.rules import Problem, RulesError
from segmentation.rules.problems import gettext_noop
from segmentation.words import Words

WRITABLE = frozenset(["name", "slug", "points_name"])
NEXT_STATES = {
    ProgramState.DRAFT: {ProgramState.ACTIVE},
    ProgramState.ACTIVE: {ProgramState.CLOSED},
    ProgramState.CLOSED: {ProgramState.ACTIVE},
}


class ProgramStateError(ValidationError):
    """How the program stands does not allow the step; ``code`` says why to programs."""


@transaction.atomic
def create_program(*, name: str, actor: Actor, slug: str = "", points_name: str = "points") -> Program:
    """Create a program, as a draft without terms.

    Args:
        slug: made of the name when there is none.

    Raises:
        ValidationError: per field.
    """
    slug = slug.strip() or _slug_of(name)
    program = Program(name=name.strip(), slug=slug, points_name=points_name.strip())
    program.validate()
    program.save(force_insert=True)
    after = {"name": program.name, "slug": program.slug, "points_name": program.points_name}
    record_audit(action="program.created", subject=program, actor=actor, after=after)
    return program


def _slug_of(name: str) -> str:
    """A slug for a program that was given none; where it is taken, the name is what was said of it."""
    slug = slugify(name)[:60] or f"program-{Program.objects.count() + 1}"
    if Program.objects.filter(slug=slug).exists():
        message = _("Another program has the slug that is made of this name.")
        raise ValidationError({"name": ValidationError(message, code="unique")})
    return slug


@transaction.atomic
def update_program(*, program: Program, actor: Actor, **values: Any) -> Program:
    """Change the program's names; only what differs is written and told.

    Raises:
        ValidationError: per field, or a field that cannot be changed.
    """
    if unknown := set(values) - WRITABLE:
        raise ValidationError({name: _("This field cannot be set.") for name in sorted(unknown)})
    program = _locked(program)
    before, after = changed_fields(program, values)
    if after:
        program.validate()
        program.save()
        record_audit(action="program.changed", subject=program, actor=actor, before=before, after=after)
    return program


@transaction.atomic
def write_terms(*, program: Program, document: Any, actor: Actor, now: datetime, valid_from: datetime | None = None) -> Terms:
    """Write the next version of a program's terms, valid from now on or from later.

    Only the first version may begin in the past: what was earned under others stays as it is.

    Raises:
        TermsError: naming every fault with the path to its node.
        ValidationError: ``valid_from`` is in the past.
    """
    program = _locked(program)
    terms = read_terms(document)
    latest = Terms.objects.filter(program=program).order_by("-version").first()
    valid_from = valid_from or now
    if latest is not None and valid_from < now:
        raise ValidationError({"valid_from": _("New terms cannot begin in the past.")})
    version = Terms.objects.create(
        program=program,
        version=latest.version + 1 if latest else 1,
        valid_from=valid_from,
        document=terms_document(terms),
        written_by=actor.label[:160],
    )
    after = {"program": program.pk, "version": version.version, "valid_from": valid_from, "document": version.document}
    record_audit(action="terms.written", subject=version, actor=actor, after=after)
    return version


@transaction.atomic
def activate_program(*, program: Program, actor: Actor, now: datetime) -> Program:
    """Let points be earned in a program.

    Raises:
        ProgramStateError: it has no terms in force.
    """
    if terms_in_force(program.pk, now) is None:
        raise ProgramStateError(_("Write the program's terms first; they have to be in force."), code="not_ready")
    return _move(program, ProgramState.ACTIVE, "program.activated", actor)


@transaction.atomic
def close_program(*, program: Program, actor: Actor) -> Program:
    """Let nothing more be earned in a program; what members have stays theirs.

    Raises:
        ProgramStateError: it was never active.
    """
    return _move(program, ProgramState.CLOSED, "program.closed", actor)


def read_terms(document: Any) -> ProgramTerms:
    """Read terms whose rule trees and locations are those of the organization.

    Raises:
        TermsError: naming every fault with the path to its node.
    """
    terms = parse_terms(document)
    if problems := [*_faults_of_trees(terms), *_unknown_locations(terms)]:
        raise TermsError(problems)
    return terms


def terms_faults(error: TermsError) -> list[str]:
    """What is wrong, in the reader's language, each led by the path to its node."""
    return [problem_text(problem) for problem in error.problems]


def _faults_of_trees(terms: ProgramTerms) -> Iterator[Problem]:
    words = Words()
    for place, rule in _conditional(terms):
        if rule.rules is None:
            continue
        try:
            read_rules(rule.rules, words=words)
        except RulesError as error:
            for found in error.problems:
                path = f"{place}.rules.{found.path}" if found.path else f"{place}.rules"
                yield Problem(path, found.code, found.message, found.params)


def _unknown_locations(terms: ProgramTerms) -> Iterator[Problem]:
    known = set(Location.objects.values_list("pk", flat=True))
    for place, rule in _conditional(terms):
        for index, location in enumerate(rule.locations):
            if location not in known:
                message = gettext_noop("There is no location with the number %(number)s.")
                yield Problem(f"{place}.locations[{index}]", "location_unknown", message, {"number": location})


def _conditional(terms: ProgramTerms) -> Iterator[tuple[str, Any]]:
    yield from ((f"earn[{index}]", rule) for index, rule in enumerate(terms.earn))
    yield from ((f"multipliers[{index}]", rule) for index, rule in enumerate(terms.multipliers))


def _move(program: Program, state: ProgramState, action: str, actor: Actor) -> Program:
    program = _locked(program)
    if program.state == state:
        return program
    if state not in NEXT_STATES[ProgramState(program.state)]:
        message = _("A program that is “%(now)s” cannot become “%(then)s”.")
        raise ProgramStateError(message % {"now": program.get_state_display(), "then": state.label}, code="wrong_state")
    before, program.state = program.state, state
    program.save(update_fields=["state"])
    record_audit(action=action, subject=program, actor=actor, before={"state": before}, after={"state": state})
    return program


def _locked(program: Program) -> Program:
    return Program.objects.select_for_update(of=("self",)).get(pk=program.pk)
