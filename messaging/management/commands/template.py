from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.administration import ADMINISTRATOR, inside
from accounts.queries import current_organization
from crm.models import Purpose
from messaging.actions.templates import create_template, save_version
from messaging.content.frame import MessageSource
from messaging.content.problems import MessageRejectedError
from messaging.content.validation import validate_message
from messaging.models import MessageTemplate
from messaging.variables import known_variables


class Command(BaseCommand):
    help = "Save the words of a message as a template's next version, and tell what is still to be mended."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        save = verbs.add_parser("save", help="create the template, or save a new version of it")
        save.add_argument("name")
        save.add_argument("--subject", required=True)
        save.add_argument("--html", required=True, type=Path, metavar="FILE")
        save.add_argument("--text", type=Path, metavar="FILE", help="without it, made from the HTML")
        save.add_argument("--preheader", default="", help="what mail programs show beside the subject")
        save.add_argument("--language", default="en")
        save.add_argument("--purpose", choices=Purpose.values, default=Purpose.MARKETING)
        listing = verbs.add_parser("list", help="all templates with their newest versions")
        for each in (save, listing):
            each.add_argument("--organization", required=True, metavar="SLUG")

    def handle(self, *_args: Any, verb: str, organization: str, **options: Any) -> None:
        with inside(organization):
            if verb == "save":
                self._save(options)
            else:
                for template in MessageTemplate.objects.filter(archived_at=None).order_by("pk"):
                    newest = template.versions.first()
                    self.stdout.write(f"{template.pk}\t{template.name}\t{newest.subject if newest else 'no words yet'}")

    def _save(self, options: dict[str, Any]) -> None:
        source = MessageSource(
            subject=options["subject"],
            preheader=options["preheader"],
            html=_read(options["html"]),
            text=_read(options["text"]) if options["text"] else "",
            language=options["language"],
        )
        purpose = Purpose(options["purpose"])
        template = MessageTemplate.objects.filter(name=options["name"]).first()
        template = template or create_template(name=options["name"], purpose=purpose, actor=ADMINISTRATOR)
        try:
            version = save_version(template=template, source=source, actor=ADMINISTRATOR)
        except MessageRejectedError as error:
            raise CommandError(f"Nothing was saved: {error}") from error
        self.stdout.write(f"{template.pk}\t{template.name}\tversion {version.number}")
        address = current_organization().postal_address
        unsubscribable = template.purpose != Purpose.TRANSACTIONAL
        for problem in validate_message(source, known_variables(), unsubscribable=unsubscribable, postal_address=address):
            place = f", line {problem.line}" if problem.line else ""
            self.stdout.write(f"  {problem.severity} ({problem.part}{place}): {problem.message}")


def _read(path: Path) -> str:
    if not path.is_file():
        raise CommandError(f"There is no file {path}. Nothing was changed.")
    return path.read_text(encoding="utf-8")
