#!/usr/bin/env python
"""The administrator's entry: starts the embedded servers where none are configured, then runs the command."""

import os
import sys

# Commands that need no database, and those that start the servers themselves.
SERVERLESS = {"demo", "serve", "stop_servers", "help", "--help", "--version", "version", "compilemessages", "makemessages", "collectstatic"}


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 - says so in words where the wrong Python is used
        sys.exit(f"Regulars needs Python 3.11 or newer; this is {sys.version.split()[0]}.")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    from config.embedded.home import EmbeddedServerError
    from config.environment import EnvironmentVariableError

    try:
        if len(sys.argv) > 1 and sys.argv[1] not in SERVERLESS:
            start_servers()
        execute_from_command_line(sys.argv)
    except (EnvironmentVariableError, EmbeddedServerError) as error:
        sys.exit(str(error))
    except Exception as error:
        from config.outages import explain

        if line := explain(error):
            sys.exit(line)
        raise


def start_servers() -> None:
    from django.conf import settings

    from config.embedded import start_embedded

    start_embedded(settings.EMBEDDED_HOME, postgres=settings.EMBEDDED_POSTGRES, valkey=settings.EMBEDDED_VALKEY)


if __name__ == "__main__":
    main()
