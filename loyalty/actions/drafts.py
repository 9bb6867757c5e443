"""Terms while they are being written: kept step by step, published as the next version."""

from datetime import datetime
from typing import Any

from django.db import transaction

from accounts.audit import Actor
from loyalty.actions.programs import activate_program, write_terms
from loyalty.models import Program, ProgramState, Terms


def draft_of(program: Program) -> dict[str, Any]:
    """The draft, or else what the latest version says."""
    if program.draft is not None:
        return dict(program.draft)
    latest = Terms.objects.filter(program=program).order_by("-version").first()
    return dict(latest.document) if latest else {}


def keep_draft(*, program: Program, document: dict[str, Any]) -> None:
    """Keep what was written so far; nothing of it holds before it is published."""
    Program.objects.filter(pk=program.pk).update(draft=document)


@transaction.atomic
def publish_draft(*, program: Program, actor: Actor, now: datetime) -> Terms:
    """Let the draft hold from now on; a program that was being prepared opens.

    Raises:
        TermsError: naming every fault with the path to its node.
    """
    terms = write_terms(program=program, document=draft_of(program), actor=actor, now=now)
    Program.objects.filter(pk=program.pk).update(draft=None)
    if program.state == ProgramState.DRAFT:
        activate_program(program=program, actor=actor, now=now)
    return terms
