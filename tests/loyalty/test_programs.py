"""Programs are opened and closed, and their terms followed by new versions."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import DatabaseError, transaction

from accounts.models.audit import AuditEntry
from loyalty.actions.programs import activate_program, close_program, create_program, update_program, write_terms
from loyalty.models import Program, ProgramState, Terms
from loyalty.queries.programs import TermsBook, terms_in_force
from loyalty.rules.terms import TermsError
from tests.conftest import Cast
from tests.loyalty.ledger_stage import DAY, NOW

EARN: dict[str, Any] = {"earn": [{"key": "sales", "on": "amount", "points": 1, "per_minor": 1000}]}


@pytest.fixture
def program(in_saffron: Cast) -> Program:
    return create_program(name="Saffron points", slug="points", actor=in_saffron.alice_acts)


def test_a_program_opens_once_it_has_terms_and_can_be_closed_and_reopened(in_saffron: Cast, program: Program) -> None:
    alice = in_saffron.alice_acts
    with pytest.raises(ValidationError):
        activate_program(program=program, actor=alice, now=NOW)
    with pytest.raises(ValidationError):
        close_program(program=program, actor=alice)
    write_terms(program=program, document=EARN, actor=alice, now=NOW)
    assert activate_program(program=program, actor=alice, now=NOW).state == ProgramState.ACTIVE
    assert close_program(program=program, actor=alice).state == ProgramState.CLOSED
    activate_program(program=program, actor=alice, now=NOW)
    assert list(AuditEntry.objects.filter(subject_type="loyalty.program").order_by("id").values_list("action", flat=True)) == [
        "program.created",
        "program.activated",
        "program.closed",
        "program.activated",
    ]


def test_two_programs_cannot_have_one_slug(in_saffron: Cast, program: Program) -> None:
    with pytest.raises(ValidationError):
        create_program(name="Other", slug="points", actor=in_saffron.alice_acts)
    with pytest.raises(ValidationError):
        update_program(program=program, state="active", actor=in_saffron.alice_acts)
    assert update_program(program=program, name="Saffron club", actor=in_saffron.alice_acts).name == "Saffron club"


def test_the_highest_version_valid_at_a_moment_is_in_force(in_saffron: Cast, program: Program) -> None:
    def write(valid_from: Any) -> Terms:
        return write_terms(program=program, document=EARN, actor=in_saffron.alice_acts, now=NOW, valid_from=valid_from)

    write(NOW - 30 * DAY)
    write(NOW + 10 * DAY)
    write(NOW + 2 * DAY)
    book = TermsBook()
    moments = [-31, -30, 0, 2, 10]
    numbers = [getattr(book.in_force(program.pk, NOW + timedelta(days=days)), "number", None) for days in moments]
    assert numbers == [None, 1, 1, 3, 3]
    at_five_days = terms_in_force(program.pk, NOW + 5 * DAY)
    assert at_five_days is not None
    assert at_five_days.number == 3
    assert book.begins(program.pk) == NOW - 30 * DAY
    with pytest.raises(ValidationError):
        write(NOW - DAY)


def test_terms_are_never_changed(in_saffron: Cast, program: Program) -> None:
    write_terms(program=program, document=EARN, actor=in_saffron.alice_acts, now=NOW)
    for change in (lambda: Terms.objects.update(version=9), lambda: Terms.objects.all().delete()):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            change()


def test_rule_trees_and_locations_of_terms_are_checked_against_the_organization(in_saffron: Cast, program: Program) -> None:
    tree = {"all": [{"field": "shoe_size", "op": "is", "value": 1}]}
    document = {
        "earn": [{"key": "a", "on": "visit", "points": 1, "rules": tree, "locations": [in_saffron.uptown.pk, 10**9]}],
        "multipliers": [{"key": "b", "percent": 200, "rules": {}}],
    }
    with pytest.raises(TermsError) as caught:
        write_terms(program=program, document=document, actor=in_saffron.alice_acts, now=NOW)
    assert [(problem.path, problem.code) for problem in caught.value.problems] == [
        ("earn[0].rules.all[0].field", "unknown_field"),
        ("multipliers[0].rules", "unclear_node"),
        ("earn[0].locations[1]", "location_unknown"),
    ]
    assert Terms.objects.count() == 0
