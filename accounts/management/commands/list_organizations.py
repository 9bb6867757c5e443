from typing import Any

from django.core.management.base import BaseCommand

from accounts.models import ApiKey, Location, Membership
from accounts.queries import current_organization, organization_ids
from accounts.tenancy import tenant


class Command(BaseCommand):
    help = "List the active organizations with their locations, members and working API keys."

    def handle(self, *args: Any, **options: Any) -> None:
        ids = organization_ids()
        if not ids:
            self.stdout.write("There are none yet; “manage.py create_organization SLUG NAME” creates the first.")
            return
        self.stdout.write(f"{'slug':<24}{'name':<32}{'language':<10}{'currency':<10}{'locations':>10}{'members':>9}{'keys':>6}")
        for organization_id in ids:
            with tenant(organization_id):
                one = current_organization()
                counts = (
                    Location.objects.filter(is_active=True).count(),
                    Membership.objects.filter(is_active=True).count(),
                    ApiKey.objects.filter(revoked_at=None).count(),
                )
            line = f"{one.slug:<24}{one.name:<32}{one.language:<10}{one.currency:<10}"
            self.stdout.write(f"{line}{counts[0]:>10}{counts[1]:>9}{counts[2]:>6}")
