"""Reads of segments: who is in one, how many, and who of them first."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import OperationalError, connection, transaction
from django.db.models import Count, Prefetch, Q, QuerySet
from django.utils.translation import gettext as _
from psycopg.errors import QueryCanceled

from crm.models import Channel, Consent, ConsentState, Customer, Purpose
from segmentation.compiler import Compiler
from segmentation.models import Segment
from segmentation.rules import Group, Mode, SegmentCondition, parse_rules
from segmentation.words import Words

INTERACTIVE_SECONDS = 5
PREVIEW_SIZE = 10
# Sets of customers are hashed in memory; spilling them to disk would cost more than the memory does.
WORK_MEMORY = "128MB"


class SegmentTooSlow(Exception):  # noqa: N818 - says what happened
    """The database did not answer in the time a person waits; the message says what to do."""


def read_rules(rules: Any, *, editing: Segment | None = None, words: Words | None = None, is_stored: bool = False) -> Group:
    """The rules as a tree; ``is_stored`` where they were accepted before.

    Raises:
        RulesError: naming every fault with the path to its node.
    """
    words = words or Words(editing.pk if editing else None)
    return parse_rules(rules, words.vocabulary, is_stored=is_stored)


def rules_customers(rules: Any, *, now: datetime) -> QuerySet[Customer]:
    """The customers that rules choose at ``now``, as one query.

    Raises:
        RulesError: naming every fault with the path to its node.
    """
    words = Words()
    _allow_large_sets()
    return Compiler(words, now).customers(read_rules(rules, words=words))


def segment_customers(segment: Segment, *, now: datetime) -> QuerySet[Customer]:
    """The customers in a segment at ``now``, as one query.

    Raises:
        RulesError: the rules were made for fields that no longer exist.
    """
    return audience_customers(included=[segment], excluded=[], now=now)


def audience_customers(*, included: Sequence[Segment], excluded: Sequence[Segment], now: datetime) -> QuerySet[Customer]:
    """The customers in any of the included segments and none of the excluded, as one query; no included is everybody.

    Raises:
        RulesError: the rules of one were made for fields that no longer exist.
    """
    groups = [(Mode.ANY, included), (Mode.NONE, excluded)]
    parts = tuple(Group(mode, tuple(SegmentCondition(one.pk) for one in segments)) for mode, segments in groups if segments)
    if not parts:
        return Customer.objects.order_by()
    _allow_large_sets()
    return Compiler(Words(), now).customers(Group(Mode.ALL, parts))


def is_in_segment(segment: Segment, customer: Customer, *, now: datetime, words: Words | None = None) -> bool:
    """Whether one customer is in a segment at ``now``; reads that customer's events alone.

    Args:
        words: shared by who asks about several segments.

    Raises:
        RulesError: the rules were made for fields that no longer exist.
    """
    condition = Compiler(words or Words(), now, for_one=True).condition(SegmentCondition(segment.pk))
    return Customer.objects.filter(condition, pk=customer.pk).exists()


def count_customers(customers: QuerySet[Customer], *, seconds: float = INTERACTIVE_SECONDS) -> int:
    """How many there are, for somebody who waits.

    Raises:
        SegmentTooSlow: the count took longer than ``seconds``.
    """
    with time_limit(seconds):
        return customers.count()


def preview_customers(customers: QuerySet[Customer], *, limit: int = PREVIEW_SIZE, seconds: float = INTERACTIVE_SECONDS) -> list[Customer]:
    """The newest of them, with their facts and, for display, what they agreed to.

    Raises:
        SegmentTooSlow: finding them took longer than ``seconds``.
    """
    with time_limit(seconds):
        keys = list(customers.order_by("-pk").values_list("pk", flat=True)[:limit])
    return list(for_display(Customer.objects.filter(pk__in=keys).order_by("-pk")))


def for_display(customers: QuerySet[Customer]) -> QuerySet[Customer]:
    """The same with facts and the consent to marketing by e-mail (``email_consents``), which decides nothing here."""
    consents = Consent.objects.filter(channel=Channel.EMAIL, purpose=Purpose.MARKETING)
    return customers.select_related("facts").prefetch_related(Prefetch("consents", consents, to_attr="email_consents"))


@dataclass(frozen=True, slots=True)
class SegmentSize:
    """How many customers are in a segment, and how many of them agreed to marketing by e-mail (for display)."""

    customers: int
    reachable: int


def size(customers: QuerySet[Customer], *, seconds: float = INTERACTIVE_SECONDS) -> SegmentSize:
    """Count customers and those who can be reached by e-mail.

    Raises:
        SegmentTooSlow: the count took longer than ``seconds``.
    """
    granted = Consent.objects.filter(channel=Channel.EMAIL, purpose=Purpose.MARKETING, state=ConsentState.GRANTED)
    can_be_reached = ~Q(email="") & Q(pk__in=granted.values("customer_id"))
    with time_limit(seconds):
        return SegmentSize(**customers.aggregate(customers=Count("pk"), reachable=Count("pk", filter=can_be_reached)))


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let each statement inside take so long and no longer; the transaction around stays usable.

    Raises:
        SegmentTooSlow: one took longer.
    """
    before = _setting("statement_timeout")
    try:
        with transaction.atomic():
            _set_local("statement_timeout", f"{seconds * 1000:.0f}ms")
            yield
            _set_local("statement_timeout", before)
    except OperationalError as error:
        if isinstance(error.__cause__, QueryCanceled):
            raise SegmentTooSlow(
                _(
                    "Counting took longer than %(seconds)s s and was stopped. Nothing was lost: save the segment, or narrow its windows and try again."
                )
                % {"seconds": f"{seconds:g}"}
            ) from error
        raise


def _allow_large_sets() -> None:
    # Until the end of the transaction: whoever reads the query reads it in the transaction that built it.
    _set_local("work_mem", WORK_MEMORY)


def _setting(name: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting(%s)", [name])
        return str(cursor.fetchone()[0])


def _set_local(name: str, value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("select set_config(%s, %s, true)", [name, value])
