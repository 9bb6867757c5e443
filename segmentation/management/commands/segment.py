import json
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.administration import ADMINISTRATOR, inside
from crm.management.exporting import export_to
from segmentation.actions import create_segment, note_size, snapshot_segment
from segmentation.models import Segment
from segmentation.queries import count_customers, preview_customers, segment_customers

PATIENT_SECONDS = 600.0


class Command(BaseCommand):
    help = "Create, count and look into the segments of an organization, as their pages do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="create a segment and count it")
        create.add_argument("name")
        create.add_argument("--rules", required=True, metavar="JSON", help="the rules, or @FILE with them; docs/api.md has their form")
        create.add_argument("--description", default="")
        listing = verbs.add_parser("list", help="all segments with their last counts")
        show = verbs.add_parser("preview", help="how many customers are in it, and the newest of them")
        snapshot = verbs.add_parser("snapshot", help="keep who is in it now as a fixed list")
        snapshot.add_argument("--name", required=True)
        export = verbs.add_parser("export", help="write who is in it now to a file that can be imported again")
        for each in (show, snapshot, export):
            each.add_argument("segment", type=int, metavar="ID", help="its id; “segment list” shows it")
        export.add_argument("file", type=Path, metavar="FILE", help="ends in .csv or .xlsx")
        for each in (create, listing, show, snapshot, export):
            each.add_argument("--organization", required=True, metavar="SLUG")

    def handle(self, *_args: Any, verb: str, organization: str, **options: Any) -> None:
        with inside(organization):
            match verb:
                case "create":
                    rules = _read_rules(options["rules"])
                    now = timezone.now()
                    self._tell(
                        create_segment(name=options["name"], rules=rules, description=options["description"], actor=ADMINISTRATOR, now=now)
                    )
                case "list":
                    for segment in Segment.objects.order_by("pk"):
                        self.stdout.write(f"{segment.pk}\t{segment.kind}\t{segment.name}\t{_size(segment)}")
                case "snapshot":
                    found = _segment(options["segment"])
                    self._tell(snapshot_segment(segment=found, name=options["name"], actor=ADMINISTRATOR, now=timezone.now()))
                case "export":
                    customers = segment_customers(_segment(options["segment"]), now=timezone.now())
                    self.stdout.write(f"{export_to(options['file'], customers):,} customers")
                case _:
                    self._preview(_segment(options["segment"]))

    def _tell(self, segment: Segment) -> None:
        now = timezone.now()
        customers = count_customers(segment_customers(segment, now=now), seconds=PATIENT_SECONDS)
        note_size(segment=segment, customers=customers, now=now)
        self.stdout.write(f"{segment.pk}\t{segment.name}\t{customers:,} customers")

    def _preview(self, segment: Segment) -> None:
        self._tell(segment)
        customers = segment_customers(segment, now=timezone.now())
        for customer in preview_customers(customers, seconds=PATIENT_SECONDS):
            facts = customer.facts
            self.stdout.write(
                f"  #{customer.pk}\t{customer}\t{facts.purchase_count} purchases\tlast {facts.last_purchase_at:%Y-%m-%d}"
                if facts.last_purchase_at
                else f"  #{customer.pk}\t{customer}\tno purchase"
            )


def _read_rules(text: str) -> Any:
    if text.startswith("@"):
        path = Path(text[1:])
        if not path.is_file():
            raise CommandError(f"There is no file {path}. Nothing was changed.")
        text = path.read_text(encoding="utf-8")
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise CommandError(f"The rules are no JSON: {error}. Nothing was changed.") from error


def _segment(number: int) -> Segment:
    segment = Segment.objects.filter(pk=number).first()
    if segment is None:
        raise CommandError(f"There is no segment {number} here. “segment list” names those there are.")
    return segment


def _size(segment: Segment) -> str:
    return "not counted yet" if segment.member_count is None else f"{segment.member_count:,} customers"
