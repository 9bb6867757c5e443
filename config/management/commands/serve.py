import os
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import CommandError, call_command
from django.core.management.base import BaseCommand

from config.processes import ProcessError, Processes, claim_port, port_number, product
from config.servers import servers


class Command(BaseCommand):
    help = "Runs web server, worker, sender and beat on the data that is there, until Ctrl-C."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--host", default=os.environ.get("HOST") or "127.0.0.1")
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000")
        parser.add_argument("--concurrency", type=int, default=2, help="Tasks the worker does at once.")

    def handle(self, *_args: Any, host: str, port: str, concurrency: int, **_options: Any) -> None:
        folder = settings.EMBEDDED_HOME.folder
        environment = {"PUBLIC_URL": os.environ.get("PUBLIC_URL") or f"http://127.0.0.1:{port}"}
        try:
            number = port_number(port, variable="PORT")
            claim_port(host, number, variable="PORT")
            with servers(), Processes(folder / "logs", environment) as processes:
                call_command("migrate", verbosity=0)
                processes.start(*product(host=host, port=number, folder=folder, concurrency=concurrency))
                self.stdout.write(f"Regulars serves on {environment['PUBLIC_URL']}/admin/ (Ctrl-C ends it; logs in {processes.logs})")
                processes.watch()
        except KeyboardInterrupt:
            self.stdout.write("Stopped before everything had started.")
        except ProcessError as error:
            raise CommandError(str(error)) from error
