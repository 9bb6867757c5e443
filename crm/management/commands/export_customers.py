from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from accounts.administration import inside
from accounts.queries import current_organization
from crm.management.exporting import export_to
from crm.queries.lists import CHIPS, narrowed
from crm.queries.search import find_customers


class Command(BaseCommand):
    help = "Write customers to a CSV or XLSX file that “import_data customers” reads; imported again it changes nothing."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="ends in .csv or .xlsx")
        parser.add_argument("--organization", required=True, metavar="SLUG")
        parser.add_argument("--search", default="", metavar="TEXT", help="the beginning of a name, phone number or e-mail address")
        parser.add_argument(
            "--who", action="append", default=[], choices=[chip.key for chip in CHIPS], help="again for more; all have to fit"
        )

    def handle(self, *_args: Any, file: Path, organization: str, search: str, who: list[str], **_options: Any) -> None:
        with inside(organization):
            customers = find_customers(search, region=current_organization().region, at_most=None)
            count = export_to(file, narrowed(customers, who, timezone.now())[0])
        self.stdout.write(f"{count:,} customers written to {file}.")
