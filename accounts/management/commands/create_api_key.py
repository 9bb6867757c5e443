from datetime import timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actions import create_api_key
from accounts.administration import ADMINISTRATOR, inside
from accounts.permissions import API_SCOPES, Permission


class Command(BaseCommand):
    help = "Create an API key and print it, this once; it is stored as a hash."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="its slug")
        parser.add_argument("name", help="what the key is for, such as “till”")
        parser.add_argument(
            "--scope", action="append", default=[], metavar="SCOPE", help=f"may be repeated: {', '.join(sorted(API_SCOPES))}"
        )
        parser.add_argument("--days", type=int, help="for how long it works; without it until it is revoked")

    def handle(self, *args: Any, **options: Any) -> None:
        unknown = [scope for scope in options["scope"] if scope not in set(API_SCOPES)]
        if unknown or not options["scope"]:
            problem = f"Unknown scope: {', '.join(unknown)}." if unknown else "Give at least one --scope."
            raise CommandError(f"{problem} There are: {', '.join(sorted(API_SCOPES))}.")
        days = options["days"]
        if days is not None and days < 1:
            raise CommandError("--days has to be at least 1.")
        with inside(options["organization"]):
            expires_at = timezone.now() + timedelta(days=days) if days else None
            scopes = [Permission(scope) for scope in options["scope"]]
            key, secret = create_api_key(name=options["name"], scopes=scopes, actor=ADMINISTRATOR, expires_at=expires_at)
        self.stderr.write(f"“{key.name}” is ready; this is the only time it is shown:")
        self.stdout.write(secret)
