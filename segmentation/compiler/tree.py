"""Trees to conditions.

Negation is pushed down to the leaves, where each is exact about unknown values, so no NOT ever stands above a NULL.
A condition on events is a set of customers' keys. Where all conditions have to hold, it becomes a semi-join or an
anti-join; under "any" it is a hashed set that each customer is looked up in.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import F, Q, QuerySet

from crm.models import Customer
from segmentation.compiler.comparisons import all_of, any_of, compare
from segmentation.compiler.events import customers_with, threshold
from segmentation.expressions import AmongCounted, IsNotTrue, NotAmong
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.references import MAX_STEPS
from segmentation.rules import (
    Clock,
    EventCondition,
    FieldCondition,
    Group,
    Mode,
    Node,
    Problem,
    RulesError,
    SegmentCondition,
    parse_rules,
)
from segmentation.rules.operators import COMPLEMENTS
from segmentation.rules.parsing import REFERENCE_MESSAGES
from segmentation.rules.problems import gettext_noop
from segmentation.rules.vocabulary import Reference
from segmentation.words import Words

# A segment asked for, and those its rules lead to.
MAX_SEGMENT_DEPTH = MAX_STEPS + 1
# Segments that mention segments multiply; more than this takes the database longer to plan than people wait.
MAX_CONDITIONS = 5_000

TOO_MANY = gettext_noop(
    "With the segments it refers to, this asks more than %(most)s conditions. Refer to fewer, or keep one as a fixed list."
)


class Compiler:
    """Compiles trees of one organization at one moment.

    Args:
        for_one: the condition will be asked of a single customer, whose events alone are then counted.
    """

    def __init__(self, words: Words, now: datetime, *, for_one: bool = False) -> None:
        self.words = words
        self.for_one = for_one
        self.clock = Clock(now, words.conventions.zone)
        self._trees: dict[int, Group | None] = {}
        self._weights: dict[tuple[int, int], int] = {}
        self._compiled: dict[tuple[int, bool, bool], Q] = {}

    def customers(self, node: Node) -> QuerySet[Customer]:
        """The customers for whom the tree holds, in no order.

        Raises:
            RulesError: a segment that the tree mentions has rules that no longer work.
        """
        return Customer.objects.order_by().filter(self.condition(node))

    def condition(self, node: Node) -> Q:
        """The tree as a condition on ``Customer``.

        Raises:
            RulesError: a segment that the tree mentions has rules that no longer work, or together they ask too much.
        """
        if self._weight(node, depth=0) > MAX_CONDITIONS:
            raise RulesError([Problem("", "too_many_conditions", TOO_MANY, {"most": MAX_CONDITIONS})])
        return self._condition(node, negated=False, joined=True, depth=0)

    def _weight(self, node: Node, depth: int) -> int:
        """How many conditions the tree comes to, those of the segments it mentions among them."""
        if isinstance(node, Group):
            return sum(self._weight(child, depth) for child in node.children)
        if not isinstance(node, SegmentCondition):
            return 1
        key = (node.segment_id, depth)
        if key not in self._weights:
            tree = self._tree(node.segment_id, depth)
            self._weights[key] = self._weight(tree, depth + 1) if tree is not None else 1
        return self._weights[key]

    def _condition(self, node: Node, *, negated: bool, joined: bool, depth: int) -> Q:
        """The tree, or its complement.

        Args:
            joined: whether every condition above has to hold, so that sets of keys can be joined.
            depth: how many segments we are inside of.
        """
        match node:
            case Group():
                return self._group(node, negated, joined, depth)
            case FieldCondition():
                return self._field(node, negated)
            case EventCondition():
                return self._event(node, negated, joined)
            case SegmentCondition():
                return self._segment(node, negated, joined, depth)

    def _group(self, group: Group, negated: bool, joined: bool, depth: int) -> Q:
        # not all(a, b) = any(not a, not b); none(a, b) = all(not a, not b); not none(a, b) = any(a, b)
        conjunction = negated == (group.mode is Mode.ANY)
        flipped = negated != (group.mode is Mode.NONE)
        inner = joined and (conjunction or len(group.children) == 1)
        parts = [self._condition(child, negated=flipped, joined=inner, depth=depth) for child in group.children]
        return all_of(*parts) if conjunction else any_of(parts)

    def _field(self, condition: FieldCondition, negated: bool) -> Q:
        field = self.words.field(condition.field)
        assert field is not None, condition.field  # parse_rules has seen it
        positive = COMPLEMENTS.get(condition.operator)
        compared = compare(field.type, positive or condition.operator, field.expression(self.clock), condition.value, self.clock)
        return Q(IsNotTrue(compared)) if negated != (positive is not None) else compared

    def _event(self, condition: EventCondition, negated: bool, joined: bool) -> Q:
        keys = customers_with(condition, self.words.event(condition.kind), self.clock, distinct=not joined)
        is_member = negated == condition.holds_for_none
        if is_member and joined and not self.for_one and threshold(condition) != ("at_least", 1):
            return Q(AmongCounted(F("pk"), keys))
        return _membership(keys, is_member=is_member, joined=joined)

    def _segment(self, condition: SegmentCondition, negated: bool, joined: bool, depth: int) -> Q:
        wanted = condition.is_member != negated
        tree = self._tree(condition.segment_id, depth)
        if tree is not None:
            key = (condition.segment_id, wanted, joined)
            if key not in self._compiled:
                self._compiled[key] = self._condition(tree, negated=not wanted, joined=joined, depth=depth + 1)
            return self._compiled[key]
        keys = SegmentMember.objects.filter(segment_id=condition.segment_id).values("customer_id")
        return _membership(keys, is_member=wanted, joined=joined)

    def _tree(self, segment_id: int, depth: int) -> Group | None:
        """The rules of a segment; ``None`` for a fixed list."""
        if depth >= MAX_SEGMENT_DEPTH:
            # Rules are checked when they are saved; two people saving at once may still close a circle.
            message = REFERENCE_MESSAGES[Reference.TOO_DEEP]
            raise RulesError([Problem("", "segment_too_deep", message, {"number": segment_id})])
        if segment_id not in self._trees:
            segment = Segment.objects.get(pk=segment_id)
            dynamic = segment.kind == SegmentKind.DYNAMIC
            self._trees[segment_id] = parse_rules(segment.rules, self.words.vocabulary, is_stored=True) if dynamic else None
        return self._trees[segment_id]


def _membership(keys: QuerySet[Any, Any], *, is_member: bool, joined: bool) -> Q:
    if is_member:
        return Q(pk__in=keys)
    return Q(NotAmong(F("pk"), keys)) if joined else ~Q(pk__in=keys)


def compile_rules(node: Node, *, now: datetime, words: Words | None = None) -> QuerySet[Customer]:
    """The customers for whom ``node`` holds at ``now``."""
    return Compiler(words or Words(), now).customers(node)
