"""Programs and the terms in force in them at a moment."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Final

from accounts.postgresql.prepared import run_prepared
from accounts.tenancy import current_organization_id
from loyalty.models import Program, ProgramState, Terms
from loyalty.rules.terms import EarnRule, Enrolment, Level, ProgramTerms, parse_terms
from segmentation.references import mentioned

_IN_FORCE: Final = """
select id, version, valid_from, document::text from loyalty_terms
where organization_id = %(organization)s and program_id = %(program)s and valid_from <= %(at)s order by version desc limit 1
"""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a program's terms."""

    id: int
    program_id: int
    number: int
    valid_from: datetime
    terms: ProgramTerms


class TermsBook:
    """The terms of the organization's programs, read with one query when first needed: keep it for a request or a batch."""

    @cached_property
    def programs(self) -> Mapping[int, Program]:
        """Programs that have terms, by id."""
        return {row.program_id: row.program for row in self._rows}

    @property
    def active(self) -> list[Program]:
        """Programs in which points are earned."""
        return [program for program in self.programs.values() if program.state == ProgramState.ACTIVE]

    @cached_property
    def versions(self) -> Mapping[int, Version]:
        """Every version of every program's terms by its id, the latest first."""
        return {row.pk: _version(row) for row in self._rows}

    def in_force(self, program_id: int, at: datetime) -> Version | None:
        """The highest version that was valid at a moment."""
        return next((one for one in self.versions.values() if one.program_id == program_id and one.valid_from <= at), None)

    def levels(self, program_id: int, at: datetime) -> tuple[Level, ...]:
        """The tiers of a program at a moment, from the lowest to the highest."""
        version = self.in_force(program_id, at)
        return version.terms.tiers.levels if version and version.terms.tiers else ()

    def tier_name(self, program_id: int, key: str, at: datetime) -> str:
        """What a tier is called; empty when there is none with this key."""
        return next((level.name or level.key for level in self.levels(program_id, at) if level.key == key), "")

    def begins(self, program_id: int) -> datetime | None:
        """From when on a program has terms."""
        return min((one.valid_from for one in self.versions.values() if one.program_id == program_id), default=None)

    def counts_from(self, version: Version) -> datetime | None:
        """From when on what customers did counts: the first terms of a program that takes people in by itself; ``None``: their joining."""
        return self.begins(version.program_id) if version.terms.enrol is Enrolment.AUTOMATIC else None

    @property
    def earn_rules(self) -> Iterator[tuple[int, EarnRule]]:
        """The earn rules of every version of the terms, each with its program."""
        return ((version.program_id, rule) for version in self.versions.values() for rule in version.terms.earn)

    @cached_property
    def _rows(self) -> list[Terms]:
        return list(Terms.objects.select_related("program").order_by("program_id", "-version"))


def programs_that_mention(segment_id: int) -> list[str]:
    """Names of programs that are not closed and whose latest terms ask about a segment."""
    book, found = TermsBook(), []
    for program in book.programs.values():
        latest = next(one for one in book.versions.values() if one.program_id == program.pk).terms
        trees = [*(rule.rules for rule in latest.earn), *(multiplier.rules for multiplier in latest.multipliers)]
        if program.state != ProgramState.CLOSED and segment_id in mentioned(trees):
            found.append(program.name)
    return found


def terms_in_force(program_id: int, at: datetime) -> Version | None:
    """The terms of one program at a moment."""
    row = run_prepared(_IN_FORCE, {"organization": current_organization_id(), "program": program_id, "at": at}).fetchone()
    if row is None:
        return None
    version_id, number, valid_from, document = row
    return Version(version_id, program_id, number, valid_from, _parsed(document))


def _version(row: Terms) -> Version:
    return Version(row.pk, row.program_id, row.version, row.valid_from, _parsed(json.dumps(row.document)))


# Versions never change, so the same text is parsed once per process.
@lru_cache(maxsize=256)
def _parsed(document: str) -> ProgramTerms:
    return parse_terms(json.loads(document))
