import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError
from django.core.management.base import BaseCommand

from config.demo.generator import CUSTOMERS
from config.demo.run import run_demo
from config.demo.stage import Stage
from config.demo.voice import Voice
from config.processes import ProcessError


class Command(BaseCommand):
    help = "Shows the whole product: a barbershop, a real campaign, its shoppers; serves until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--exit", action="store_true", help="End when the campaign is over; exit code 0 only if every message is accounted for."
        )
        parser.add_argument("--customers", type=int, default=CUSTOMERS, help="How many to invent at the first start.")

    def handle(self, *_args: Any, **options: Any) -> None:
        if settings.PRODUCTION:
            raise CommandError("The demo writes invented people: it does not run with PRODUCTION on.")
        try:
            stage = Stage.from_environment(settings.EMBEDDED_HOME.folder)
            balances = run_demo(stage, leave=options["exit"], customers=options["customers"], voice=Voice())
        except KeyboardInterrupt:
            sys.exit(130)
        except ProcessError as error:
            raise CommandError(str(error)) from error
        if options["exit"] and not balances:
            raise CommandError("Not every message is accounted for.")
