"""What the commands that export share."""

from pathlib import Path

from django.core.management.base import CommandError
from django.db.models import QuerySet

from accounts.administration import ADMINISTRATOR
from accounts.exports import TableFormat
from crm.exports import export_customers
from crm.models import Customer


def export_to(path: Path, customers: QuerySet[Customer]) -> int:
    """Write customers to a new file, in the format that its name ends in; answers how many.

    Raises:
        CommandError: another ending, or a file that cannot be written or stands there already.
    """
    ending = path.suffix.lower().removeprefix(".")
    if ending not in list(TableFormat):
        raise CommandError(f"{path} has to end in .csv or .xlsx.")
    try:
        with path.open("xb") as file:
            try:
                return export_customers(customers=customers, table_format=TableFormat(ending), out=file, actor=ADMINISTRATOR)
            except BaseException:
                path.unlink()
                raise
    except FileExistsError as error:
        raise CommandError(f"{path} is there already; nothing was written.") from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror}.") from error
