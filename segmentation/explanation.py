"""Why a customer is, or is not, in a segment: each node with its answer and what was found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, ExpressionWrapper
from django.utils.translation import gettext as _

from accounts.formats import format_day, format_number
from crm.models import Customer
from segmentation.compiler import Compiler
from segmentation.compiler.events import counted_rows, customer_column
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import read_rules
from segmentation.rules import EventCondition, FieldCondition, Group, Mode, Node, SegmentCondition, conditions
from segmentation.sentences import Narrator
from segmentation.words import Words


@dataclass(frozen=True, slots=True)
class Reason:
    """One node: what it asks, whether it holds, and what was found."""

    text: str
    holds: bool
    found: str = ""
    children: tuple[Reason, ...] = ()


def explain(segment: Segment, customer: Customer, *, now: datetime) -> Reason:
    """Why the customer is in the segment at ``now``, or not.

    Raises:
        RulesError: the rules were made for fields that no longer exist.
    """
    if segment.kind == SegmentKind.STATIC:
        listed = SegmentMember.objects.filter(segment=segment, customer=customer).first()
        return Reason(_("On the fixed list"), listed is not None, format_day(listed.added_at) if listed else "")
    words = Words()
    return _Explainer(Compiler(words, now, for_one=True), customer).node(read_rules(segment.rules, words=words, is_stored=True))


class _Explainer:
    def __init__(self, compiler: Compiler, customer: Customer) -> None:
        self.compiler = compiler
        self.customer = customer
        self.narrator = Narrator(compiler.words)
        self.answers: dict[FieldCondition, tuple[bool, Any]] = {}

    def node(self, root: Group) -> Reason:
        self._look_up([leaf for leaf in conditions(root) if isinstance(leaf, FieldCondition)])
        return self._node(root)

    def _look_up(self, leaves: list[FieldCondition]) -> None:
        """Every field condition and its value in one query."""
        annotations: dict[str, Any] = {}
        for index, leaf in enumerate(leaves):
            field = self.compiler.words.field(leaf.field)
            annotations[f"holds_{index}"] = ExpressionWrapper(self.compiler.condition(leaf), output_field=BooleanField())
            annotations[f"value_{index}"] = field.expression(self.compiler.clock) if field else None
        row: dict[str, Any] = dict(Customer.objects.filter(pk=self.customer.pk).values(**annotations).get()) if leaves else {}
        for index, leaf in enumerate(leaves):
            self.answers[leaf] = bool(row[f"holds_{index}"]), row[f"value_{index}"]

    def _node(self, node: Node) -> Reason:
        match node:
            case Group():
                return self._group(node)
            case FieldCondition():
                return self._field(node)
            case EventCondition():
                return self._event(node)
            case SegmentCondition():
                chosen = Customer.objects.filter(self.compiler.condition(node), pk=self.customer.pk).exists()
                return Reason(self.narrator.condition(node), chosen)

    def _group(self, group: Group) -> Reason:
        children = tuple(self._node(child) for child in group.children)
        held = [child.holds for child in children]
        match group.mode:
            case Mode.ALL:
                return Reason(_("All of these"), all(held), children=children)
            case Mode.ANY:
                return Reason(_("At least one of these"), any(held), children=children)
            case Mode.NONE:
                return Reason(_("None of these"), not any(held), children=children)

    def _field(self, leaf: FieldCondition) -> Reason:
        holds, value = self.answers[leaf]
        field = self.compiler.words.field(leaf.field)
        return Reason(self.narrator.condition(leaf), holds, self.narrator.value(field, value) if field else "")

    def _event(self, leaf: EventCondition) -> Reason:
        event = self.compiler.words.event(leaf.kind)
        rows = counted_rows(leaf, event, self.compiler.clock).filter(**{customer_column(event): self.customer.pk})
        found, wanted = rows.count(), leaf.count
        holds = {"at_least": found >= wanted.value, "at_most": found <= wanted.value, "exactly": found == wanted.value}[wanted.operator]
        noun = event.counted(found) if event else leaf.kind
        return Reason(self.narrator.condition(leaf), holds, f"{format_number(found)} {noun}")
