from functools import reduce
from operator import or_

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import BulkTenantModel, TenantModel
from crm.models import Customer
from messaging.models.dispatch import Dispatch


class DeliveryState(models.TextChoices):
    PLANNED = "planned", _("planned")
    SKIPPED = "skipped", _("skipped")
    SENT = "sent", _("sent")
    RETRYING = "retrying", _("will be tried again")
    FAILED = "failed", _("failed")
    BOUNCED = "bounced", _("bounced")
    DELIVERED = "delivered", _("delivered")
    # The connection broke between the message and its receipt: it may have arrived, and is never sent again by itself.
    AMBIGUOUS = "ambiguous", _("uncertain")
    CANCELLED = "cancelled", _("cancelled")


class SkipReason(models.TextChoices):
    NO_ADDRESS = "no_address", _("has no address for this channel")
    NO_CONSENT = "no_consent", _("never agreed to messages like this")
    WITHDRAWN = "withdrawn", _("unsubscribed")
    SUPPRESSED = "suppressed", _("the address is on the suppression list")
    FREQUENCY_CAP = "frequency_cap", _("got enough messages lately")
    DUPLICATE_ADDRESS = "duplicate_address", _("another customer with this address gets it")
    EXCLUDED = "excluded", _("is in an excluded segment")
    HOLDOUT = "holdout", _("is in the control group")


class FateReason(models.TextChoices):
    """Why a message was not sent, or not surely; the provider's words stand in ``detail``."""

    NO_SUCH_ADDRESS = "no_such_address", _("the address does not exist")
    REFUSED = "refused", _("the mail server refused the message")
    TEMPORARY = "temporary", _("the mail server asked to come back later")
    GAVE_UP = "gave_up", _("still refused after several attempts")
    NOT_MADE = "not_made", _("the message could not be made for this person")
    LINE_LOST = "line_lost", _("the connection broke before the receipt")
    WORKER_LOST = "worker_lost", _("the sending process ended before the receipt")
    ENDED = "ended", _("an error ended the sending before it was their turn")


def reason_words(reason: str) -> str:
    """A reason of the ledger in words."""
    return str({**dict(SkipReason.choices), **dict(FateReason.choices)}.get(reason, reason))


# What happens to a message after it left.
ENGAGEMENT = (
    "opened_at",
    "clicked_at",
    "machine_opened_at",
    "machine_clicked_at",
    "unsubscribed_at",
    "complained_at",
    "bounced_at",
    "delivered_at",
)


class Delivery(BulkTenantModel):
    """The ledger: what happened to one message for one customer.

    Written in one statement by ``messaging.planning``, in id order, so that a chunk is a range of ids. The references
    are not database-enforced: the statement that writes them reads them in the same scope, and checking a million of
    each would cost more than the plan itself.
    """

    dispatch = models.ForeignKey(Dispatch, on_delete=models.DO_NOTHING, related_name="deliveries", db_constraint=False, db_index=False)
    customer = models.ForeignKey(Customer, on_delete=models.DO_NOTHING, related_name="deliveries", db_constraint=False)
    address = models.CharField(_("address"), max_length=254, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=DeliveryState, default=DeliveryState.PLANNED)
    reason = models.CharField(_("reason"), max_length=20, blank=True)
    detail = models.CharField(_("answer of the provider"), max_length=300, blank=True, db_default="")
    attempts = models.SmallIntegerField(_("attempts"), default=0, db_default=0)
    next_attempt_at = models.DateTimeField(_("next attempt"), null=True)
    provider_id = models.CharField(_("id at the provider"), max_length=120, blank=True, db_default="")
    sent_at = models.DateTimeField(_("sent"), null=True)
    delivered_at = models.DateTimeField(_("delivered"), null=True)
    bounced_at = models.DateTimeField(_("bounced"), null=True)
    opened_at = models.DateTimeField(_("opened"), null=True)
    open_count = models.IntegerField(_("opens"), default=0, db_default=0)
    clicked_at = models.DateTimeField(_("clicked"), null=True)
    click_count = models.IntegerField(_("clicks"), default=0, db_default=0)
    machine_opened_at = models.DateTimeField(_("opened by a machine"), null=True)
    machine_clicked_at = models.DateTimeField(_("clicked by a machine"), null=True)
    unsubscribed_at = models.DateTimeField(_("unsubscribed"), null=True)
    complained_at = models.DateTimeField(_("complained"), null=True)

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["organization", "dispatch", "customer"], name="delivery_once")]
        indexes = [
            # Not conditional on the state: then every change of state would have to touch all indexes (no HOT update).
            models.Index(
                fields=["organization", "dispatch", "next_attempt_at"],
                name="delivery_retry",
                condition=models.Q(next_attempt_at__isnull=False),
            ),
            # All that people and machines did with the messages of a dispatch, without touching the ledger itself.
            models.Index(
                fields=["organization", "dispatch"],
                include=[*ENGAGEMENT],
                name="delivery_engaged",
                condition=reduce(or_, (models.Q(**{f"{column}__isnull": False}) for column in ENGAGEMENT)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.address} ({self.state})"


class Chunk(TenantModel):
    """A part of the ledger that one worker holds at a time (``messaging.sending``): a range of ids, or a list of retries.

    The watermark is in delivery ids: ``in_flight`` may be leaving right now (one per connection at most), ``held_back``
    and everything after ``sending_through`` has not left, and everything else up to there is done. Fates other than
    "sent" are in the ledger as soon as the watermark covers them.
    """

    dispatch = models.ForeignKey(Dispatch, on_delete=models.CASCADE, related_name="chunks")
    first_id = models.BigIntegerField(_("first number"))
    last_id = models.BigIntegerField(_("last number"))
    retry_ids = ArrayField(models.BigIntegerField(), verbose_name=_("retried deliveries"), null=True)
    done_through = models.BigIntegerField(_("done through"))
    sending_through = models.BigIntegerField(_("sending through"))
    in_flight = ArrayField(models.BigIntegerField(), verbose_name=_("maybe leaving now"), default=list, db_default=[])
    held_back = ArrayField(models.BigIntegerField(), verbose_name=_("held back"), default=list, db_default=[])
    lease = models.UUIDField(_("held by"), null=True)
    leased_until = models.DateTimeField(_("held until"), null=True)
    finished_at = models.DateTimeField(_("finished"), null=True)

    class Meta:
        verbose_name = _("chunk")
        verbose_name_plural = _("chunks")
        ordering = ["id"]
        indexes = [models.Index(fields=["organization", "dispatch", "id"], name="chunk_open", condition=models.Q(finished_at=None))]

    def __str__(self) -> str:
        return f"{self.first_id}–{self.last_id}"
