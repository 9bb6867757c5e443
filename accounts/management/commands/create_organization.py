from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import create_organization
from accounts.administration import ADMINISTRATOR, told
from accounts.models.organization import MoneyUnit
from accounts.queries import organization_id_by_slug
from accounts.timezones import time_zone_choices


class Command(BaseCommand):
    help = "Create an organization; it starts without members (add_member)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="its short name in commands and addresses: a-z, 0-9 and -")
        parser.add_argument("name")
        parser.add_argument("--language", choices=["en", "fa"], default="en")
        parser.add_argument("--time-zone", default="UTC", help="such as Asia/Tehran")
        parser.add_argument("--currency", default="USD", help="three letters, such as EUR or IRR")
        parser.add_argument("--money-unit", choices=list(MoneyUnit.values), default=MoneyUnit.CURRENCY, help="toman shows rials as tomans")
        parser.add_argument("--region", default="US", help="two letters: where phone numbers without a country code belong")
        parser.add_argument("--postal-address", default="", help="stands at the foot of marketing messages")

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        if organization_id_by_slug(slug) is not None:
            raise CommandError(f"There is an organization “{slug}” already; choose another slug.")
        if options["time_zone"] not in dict(time_zone_choices()):
            raise CommandError(f"“{options['time_zone']}” is no time zone of a place; write it like Europe/Berlin.")
        conventions = {name: options[name] for name in ("language", "time_zone", "money_unit", "postal_address")} | {
            "currency": options["currency"].upper(),
            "region": options["region"].upper(),
        }
        with told():
            organization = create_organization(name=options["name"], slug=slug, actor=ADMINISTRATOR, **conventions)
        self.stdout.write(f"Created “{organization.name}” ({slug}). Next: manage.py add_member {slug} EMAIL --role owner")
