from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from accounts.queries import organization_id_by_slug, organization_ids
from accounts.tenancy import tenant
from loyalty.ledger.replay import Findings
from loyalty.ledger.verification import verify_ledger
from loyalty.queries import closing_checks
from loyalty.queries.closing_checks import wrong_closings
from loyalty.queries.reward_checks import CHECKS, BrokenPromise, broken_promises


class Command(BaseCommand):
    help = (
        "Play every wallet of points again from its entries and check every promise of the ledger; the exit code is 1 when one is broken."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--organization", metavar="SLUG", help="one organization instead of all")

    def handle(self, *_args: Any, organization: str | None, **_options: Any) -> None:
        broken = 0
        for organization_id in _wanted(organization):
            # One snapshot of everything: what is posted meanwhile is not seen.
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("set transaction isolation level repeatable read, read only")
                with tenant(organization_id):
                    findings, promises = verify_ledger(), [*broken_promises(), *wrong_closings()]
            self._report(organization_id, findings)
            self._report_promises(promises)
            broken += sum(verdict.failed > 0 for verdict in findings.values()) + len(promises)
        if broken:
            raise CommandError(f"{broken} promises are broken; the first wrong entry of each stands above.")

    def _report(self, organization_id: int, findings: Findings) -> None:
        self.stdout.write(f"Organization {organization_id}")
        for check, verdict in findings.items():
            state = f"BROKEN {verdict.failed:,} times, first {verdict.first}" if verdict.failed else "ok"
            self.stdout.write(f"{verdict.made:>13,}  {check}: {state}")

    def _report_promises(self, promises: Sequence[BrokenPromise]) -> None:
        broken = {promise.check: promise.ids for promise in promises}
        for check in (*CHECKS, closing_checks.CHECK):
            ids = broken.get(check, ())
            self.stdout.write(f"{'':13}  {check}: {f'BROKEN, first {ids[0]}' if ids else 'ok'}")


def _wanted(slug: str | None) -> list[int]:
    if slug is None:
        return organization_ids()
    if (organization_id := organization_id_by_slug(slug)) is None:
        raise CommandError(f"There is no organization “{slug}”. “manage.py list_organizations” names those there are.")
    return [organization_id]
