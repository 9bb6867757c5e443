"""What administrators' commands share: finding what they name, with one clear line when it is not there."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.db import DataError, IntegrityError

from accounts.audit import Actor
from accounts.models import User
from accounts.models.audit import ActorKind
from accounts.queries import organization_id_by_slug
from accounts.tenancy import tenant

ADMINISTRATOR = Actor(ActorKind.SYSTEM, label="manage.py")


@contextmanager
def inside(slug: str) -> Iterator[int]:
    """Enter the scope of the organization with this slug; what an action refuses ends the command with its reason.

    Raises:
        CommandError: there is no such organization, or the action refused.
    """
    organization_id = organization_id_by_slug(slug)
    if organization_id is None:
        raise CommandError(f"There is no organization “{slug}”. “manage.py list_organizations” names those there are.")
    with told(), tenant(organization_id):
        yield organization_id


@contextmanager
def told() -> Iterator[None]:
    """Say in one line what an action refused."""
    try:
        yield
    except ValidationError as error:
        raise CommandError(" ".join(_sentences(error))) from error
    except IntegrityError as error:
        raise CommandError(f"Nothing was changed; the database refused it: {str(error).splitlines()[0]}") from error
    except (DataError, OverflowError, UnicodeDecodeError) as error:
        raise CommandError(f"Nothing was changed; something that was given cannot be kept: {str(error).splitlines()[0]}") from error


def user_by_email(email: str) -> User:
    """The user who logs in with this address.

    Raises:
        CommandError: there is none.
    """
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is None:
        raise CommandError(f"Nobody logs in with {email}. “manage.py create_user {email}” creates the account.")
    return user


def _sentences(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [message if name == "__all__" else f"{name}: {message}" for name, messages in error.message_dict.items() for message in messages]
