import getpass
import os
import sys
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from accounts.administration import told
from accounts.models import User

PASSWORD_VARIABLE = "REGULARS_PASSWORD"  # noqa: S105 - the name of a variable


class Command(BaseCommand):
    help = f"Create an account; the password is asked for, or taken from ${PASSWORD_VARIABLE}, never from the command line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--platform-administrator", action="store_true", help="may manage users, schedules and locked logins")

    def handle(self, *args: Any, **options: Any) -> None:
        email = options["email"].strip().lower()
        with told():
            validate_email(email)
        if User.objects.filter(email=email).exists():
            raise CommandError(f"Somebody logs in with {email} already; add_member gives them a seat.")
        user = User(email=email, name=options["name"], is_superuser=options["platform_administrator"])
        with told():
            user.clean_fields(exclude={"password"})
        user.set_password(_password(user))
        user.save()
        self.stdout.write(f"Created {email}. Next: manage.py add_member SLUG {email} --role …")


def _password(user: User) -> str:
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if not password:
        if not sys.stdin.isatty():
            raise CommandError(f"Nobody is there to type a password: set {PASSWORD_VARIABLE}.")
        password = getpass.getpass("Password: ")
        if password != getpass.getpass("Again: "):
            raise CommandError("The two passwords differ; nothing was created.")
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise CommandError(" ".join(error.messages)) from error
    return password
