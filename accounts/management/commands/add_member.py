from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.actions import add_member
from accounts.administration import ADMINISTRATOR, inside, user_by_email
from accounts.models import Location, Membership, Role


class Command(BaseCommand):
    help = "Give a user a role in an organization, everywhere or only at some of its locations."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", help="its slug")
        parser.add_argument("email")
        parser.add_argument("--role", choices=list(Role.values), required=True)
        parser.add_argument("--location", action="append", default=[], metavar="SLUG", help="limit to this location; may be repeated")

    def handle(self, *args: Any, **options: Any) -> None:
        user = user_by_email(options["email"])
        with inside(options["organization"]):
            if Membership.objects.filter(user=user).exists():
                raise CommandError(f"{user.email} is a member already; roles are changed under Settings, Members.")
            locations = [_location(slug) for slug in options["location"]]
            membership = add_member(user=user, role=Role(options["role"]), actor=ADMINISTRATOR, locations=locations)
            self.stdout.write(f"{user.email} is now {membership.get_role_display()} of {options['organization']}.")


def _location(slug: str) -> Location:
    location = Location.objects.filter(slug=slug).first()
    if location is None:
        known = ", ".join(Location.objects.values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no location “{slug}”; known are: {known}.")
    return location
