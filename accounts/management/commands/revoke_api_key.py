from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts.actions import revoke_api_key
from accounts.administration import ADMINISTRATOR, inside
from accounts.models import ApiKey


class Command(BaseCommand):
    help = "Make an API key useless at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="its slug")
        parser.add_argument("key", help="the key's name, or how it starts (rgl_…)")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = options["key"]
        with inside(options["organization"]):
            working = ApiKey.objects.filter(revoked_at=None)
            keys = list(working.filter(prefix=wanted[:12]) if wanted.startswith("rgl_") else working.filter(name=wanted))
            if len(keys) != 1:
                names = ", ".join(f"{key.name} ({key.prefix})" for key in working) or "none"
                raise CommandError(f"{len(keys)} working keys fit “{wanted}”; there are: {names}.")
            revoke_api_key(key=keys[0], now=timezone.now(), actor=ADMINISTRATOR)
        self.stdout.write(f"Revoked {keys[0]}.")
