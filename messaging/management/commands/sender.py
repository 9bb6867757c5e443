import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.administration import ADMINISTRATOR, inside
from messaging.actions.senders import create_sender
from messaging.channels.base import UnsupportedFeatureError
from messaging.channels.email.smtp_settings import Security
from messaging.models import SenderAccount, SenderKind

PASSWORD_VARIABLE = "SENDER_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = f"Create and list senders by SMTP; a password is taken from ${PASSWORD_VARIABLE}, never from the command line."

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
        create = verbs.add_parser("create", help="create a sender; other services are set up in the admin")
        create.add_argument("name")
        create.add_argument("--smtp", required=True, metavar="HOST:PORT")
        create.add_argument("--security", choices=[str(each) for each in Security], default=Security.STARTTLS)
        create.add_argument("--from", dest="from_email", required=True, metavar="ADDRESS")
        create.add_argument("--from-name", default="")
        create.add_argument("--user", default="", help="logs in with this name")
        create.add_argument("--connections", type=int, default=16)
        create.add_argument("--per-second", type=int, help="messages per second at most")
        listing = verbs.add_parser("list", help="all senders and whether they work")
        for each in (create, listing):
            each.add_argument("--organization", required=True, metavar="SLUG")

    def handle(self, *_args: Any, verb: str, organization: str, **options: Any) -> None:
        with inside(organization):
            if verb == "create":
                self._create(options)
            else:
                for account in SenderAccount.objects.order_by("pk"):
                    state = account.failure or ("works" if account.is_active else "switched off")
                    self.stdout.write(f"{account.pk}\t{account.kind}\t{account.name}\t{account.from_email}\t{state}")

    def _create(self, options: dict[str, Any]) -> None:
        host, _colon, port = options["smtp"].rpartition(":")
        if not host or not port.isdecimal():
            raise CommandError(f"Write --smtp as host:port, not {options['smtp']!r}. Nothing was changed.")
        credentials = {"username": options["user"], "password": os.environ.get(PASSWORD_VARIABLE, "")} if options["user"] else {}
        try:
            account = create_sender(
                actor=ADMINISTRATOR,
                credentials=credentials,
                name=options["name"],
                kind=SenderKind.SMTP,
                from_email=options["from_email"],
                from_name=options["from_name"],
                connections=options["connections"],
                rate_per_second=options["per_second"],
                options={"host": host.strip("[]"), "port": int(port), "security": options["security"]},
            )
        except UnsupportedFeatureError as error:
            raise CommandError(f"Nothing was changed: {error}") from error
        self.stdout.write(f"{account.pk}\t{account.name}\t{account.from_email}")
