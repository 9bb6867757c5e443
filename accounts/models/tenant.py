from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, models

from accounts.refusals import collected
from accounts.tenancy import current_organization_id


class TenantModel(models.Model):
    """A row that belongs to one organization; its table gets the wall of ``accounts.postgresql``."""

    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,  # leads the primary key already
        default=current_organization_id,
        editable=False,
    )

    class Meta:
        abstract = True

    def validate(self, *, trusted: Iterable[str] = ()) -> None:
        """Check fields and unique constraints of the row within its organization.

        Args:
            trusted: references that were read in this scope and need no query to be known to exist.

        Raises:
            ValidationError: per field, or for the whole row; all of it at once.
        """
        refused: dict[str, Any] = {}
        with collected(refused):
            self.clean_fields(exclude={"organization", *trusted})
        with collected(refused):
            self.clean()
        with collected(refused):
            self.validate_constraints(exclude=set(refused))
        if refused:
            raise ValidationError(refused)

    def unique_error_message(self, model_class: type[models.Model], unique_check: Sequence[str]) -> ValidationError:
        """What says that a value is taken; that it is so within the organization goes without saying."""
        return super().unique_error_message(model_class, [name for name in unique_check if name != "organization"] or unique_check)

    @contextmanager
    def refusing_late_duplicates(self) -> Iterator[None]:
        """Around the transaction that writes the row: whoever wrote the same between the check and the write refuses it in the same words.

        Raises:
            ValidationError: as ``validate``.
        """
        try:
            yield
        except IntegrityError:
            self.validate_constraints()
            raise


class BulkTenantModel(TenantModel):
    """A tenant row written by the million: its organization is vouched for by the wall alone.

    The policy admits a row only for the organization of the scope, which exists; asking again for each row took a third
    of the time an import writes for, and locks one row that all writers share.
    """

    organization = models.ForeignKey(
        "accounts.Organization",
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        db_constraint=False,
        default=current_organization_id,
        editable=False,
    )

    class Meta:
        abstract = True
