from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.embedded import stop_embedded


class Command(BaseCommand):
    help = "Stop the embedded PostgreSQL and Valkey, if they run."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        stop_embedded(settings.EMBEDDED_HOME)
        self.stdout.write("Stopped.")
