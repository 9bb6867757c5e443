"""What one request, or one batch of events, shares while members earn."""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import cached_property

from accounts.audit import Actor
from accounts.models import Location
from crm.models import Customer
from loyalty.actions.earning import lock_all
from loyalty.actions.members import enrol_member
from loyalty.models import Member
from loyalty.queries.clocks import Clocks
from loyalty.queries.conditions import Conditions
from loyalty.queries.programs import TermsBook, Version
from loyalty.rules.earning import Occasion
from loyalty.rules.terms import Enrolment


class Batch:
    """Programs, terms, members and conditions for some customers, each read once."""

    def __init__(self, customers: Collection[Customer], *, now: datetime, actor: Actor) -> None:
        self.now, self.actor = now, actor
        self.customer_ids = sorted({customer.pk for customer in customers})
        self.book = TermsBook()
        self._is_locked = False
        self.conditions = Conditions(self.customer_ids, now)
        self.clocks = Clocks()

    @cached_property
    def members(self) -> dict[tuple[int, int], Member]:
        """Members by program and customer; who was moved is represented by whoever holds their points."""
        members = Member.objects.filter(customer_id__in=self.customer_ids)
        return {(member.program_id, member.customer_id): member.holder for member in members}

    def memberships(self, customer: Customer, at: datetime) -> Iterator[tuple[Member, Version]]:
        """Where a customer earns for something that happened at a moment; automatic programs take them in."""
        for program in self.book.active:
            version = self.book.in_force(program.pk, at)
            if version is None:
                continue
            member = self.members.get((program.pk, customer.pk))
            is_automatic = version.terms.enrol is Enrolment.AUTOMATIC
            if member is None and is_automatic:
                self.lock()  # joining may earn
                member = enrol_member(program=program, customer=customer, now=self.now, actor=self.actor, joined_at=at, book=self.book)
                self.members[program.pk, customer.pk] = member
            # Programs that take people in by themselves count what was bought before that was noticed.
            if member and member.is_active and (is_automatic or member.joined_at <= at):
                yield member, version

    def lock(self) -> None:
        """Lock every budget and wallet that this batch may come to: once, before the first."""
        if not self._is_locked:
            lock_all(self.book, self.customer_ids)
            self._is_locked = True

    def occasion(self, version: Version, customer: Customer, at: datetime, location: Location | None) -> Occasion:
        """What conditions are asked about; weekdays and caps go by the clock of the place."""
        holding = self.conditions.holding(version, customer.pk)
        return Occasion(at.astimezone(self.clocks.of(location)), location.pk if location else None, holding)
