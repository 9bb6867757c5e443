from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from accounts.models import BulkTenantModel, TenantModel
from crm.models.customer import Customer


class TransactionIdField(models.Field[str, str]):
    """PostgreSQL's ``xid8``: the transaction that wrote a row, read back as decimal text."""

    def db_type(self, connection: object) -> str:
        return "xid8"


class CurrentTransactionId(models.Func):
    function = "pg_current_xact_id"
    template = "%(function)s()"
    output_field = TransactionIdField()


class Event(BulkTenantModel):
    """One thing that happened to a customer. Append-only and partitioned by month of ``occurred_at``.

    The customer is not a database-enforced reference: checking ten million of them costs more than the log is worth,
    and customers are never deleted apart from their events.
    """

    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, null=True, related_name="events", db_constraint=False, db_index=False
    )
    kind = models.CharField(_("kind"), max_length=60)
    occurred_at = models.DateTimeField(_("when"))
    recorded_at = models.DateTimeField(_("recorded"), db_default=Now())
    source = models.CharField(_("source"), max_length=20)
    properties = models.JSONField(_("properties"), default=dict)
    transaction_id = TransactionIdField(db_default=CurrentTransactionId(), editable=False)

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ["-occurred_at", "-id"]
        indexes = [
            models.Index(fields=["organization", "customer", "-occurred_at"], name="event_customer"),
            models.Index(fields=["organization", "kind", "occurred_at"], include=["customer"], name="event_kind"),
            models.Index(fields=["organization", "transaction_id", "id"], name="event_feed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} #{self.pk}"


class EventKey(TenantModel):
    """The idempotency key of an event: a partitioned table cannot keep it unique over all months."""

    source = models.CharField(_("source"), max_length=20)
    key = models.CharField(_("key"), max_length=120)

    class Meta:
        verbose_name = _("event key")
        verbose_name_plural = _("event keys")
        constraints = [models.UniqueConstraint(fields=["organization", "source", "key"], name="event_key_once")]

    def __str__(self) -> str:
        return f"{self.source}:{self.key}"


class EventCursor(TenantModel):
    """How far a consumer has read the event log of an organization."""

    consumer = models.CharField(_("reader"), max_length=60)
    transaction_id = TransactionIdField(verbose_name=_("last transaction read"), default="0")
    event_id = models.BigIntegerField(_("last event read"), default=0)

    class Meta:
        verbose_name = _("place in the event log")
        verbose_name_plural = _("places in the event log")
        constraints = [models.UniqueConstraint(fields=["organization", "consumer"], name="event_cursor_once")]

    def __str__(self) -> str:
        return self.consumer
