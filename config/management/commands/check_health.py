from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import DatabaseError, connection, connections
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from accounts.queries import organization_ids
from accounts.tenancy import tenant
from config.health import Check, Health, health_report
from config.outages import database_outage
from crm.queries.consistency import customers_with_wrong_facts

MARKS = {Health.OK: "ok", Health.DEGRADED: "look", Health.FAILING: "FAIL"}


class Command(BaseCommand):
    help = "Look at database, broker, queue, beat, migrations and the tenant wall; exit code 1 when something fails."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--deep", action="store_true", help="also count every customer's facts anew (minutes on large data)")

    def handle(self, *args: Any, **options: Any) -> None:
        checks = list(health_report(timezone.now()).checks)
        if checks[0].health == Health.OK:
            checks += [_migrations(), _wall()]
            if options["deep"]:
                checks.append(_facts())
        for check in checks:
            self.stdout.write(f"{MARKS[check.health]:<5} {check.name:<11} {check.outage or check.detail}".rstrip())
        if any(check.health == Health.FAILING for check in checks):
            raise SystemExit(1)


def _migrations() -> Check:
    try:
        executor = MigrationExecutor(connections["owner"])
    except DatabaseError as error:
        return Check("migrations", Health.FAILING, outage=database_outage(str(error), alias="owner"))
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Check("migrations", Health.FAILING, f"{len(missing)} are not applied: run manage.py migrate.")
    return Check("migrations", Health.OK)


def _wall() -> Check:
    with connection.cursor() as cursor:
        cursor.execute("select rolsuper or rolbypassrls from pg_roles where rolname = current_user")
        if cursor.fetchone()[0]:
            return Check(
                "wall", Health.FAILING, "The application's role passes row-level security; give it a plain role (docs/operator.md)."
            )
    return Check("wall", Health.OK)


def _facts() -> Check:
    wrong = 0
    for organization_id in organization_ids():
        with tenant(organization_id):
            wrong += len(customers_with_wrong_facts())
    return Check("facts", Health.FAILING if wrong else Health.OK, f"{wrong} customers' facts differ from what counting gives.")
