from django.db import models

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
