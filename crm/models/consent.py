from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models.customer import Customer
from crm.origins import proof_words, source_words


class Channel(models.TextChoices):
    EMAIL = "email", _("E-mail")
    SMS = "sms", _("SMS")
    WHATSAPP = "whatsapp", _("WhatsApp")
    PUSH = "push", _("Push")
    POST = "post", _("Post")


class Purpose(models.TextChoices):
    """Why a message is sent; transactional messages (a receipt, a reminder of an appointment) need no consent."""

    MARKETING = "marketing", _("Offers and news")
    FEEDBACK = "feedback", _("Asking for feedback")
    TRANSACTIONAL = "transactional", _("About an order or appointment")


class ConsentState(models.TextChoices):
    GRANTED = "granted", _("granted")
    PENDING = "pending", _("waiting for confirmation")
    WITHDRAWN = "withdrawn", _("withdrawn")


class Consent(TenantModel):
    """What a customer agreed to, per channel and purpose; no row means they were never asked."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consents", db_index=False)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=15, choices=Purpose)
    state = models.CharField(_("state"), max_length=10, choices=ConsentState)
    changed_at = models.DateTimeField(_("since"))

    class Meta:
        verbose_name = _("consent")
        verbose_name_plural = _("consents")
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "customer", "channel", "purpose"],
                include=["state"],
                name="consent_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.channel}/{self.purpose}: {self.state}"


class ConsentChange(TenantModel):
    """The proof of a consent: who said what, when, where and in which words. Append-only."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="consent_changes")
    channel = models.CharField(_("channel"), max_length=10, choices=Channel)
    purpose = models.CharField(_("purpose"), max_length=15, choices=Purpose)
    state = models.CharField(_("state"), max_length=10, choices=ConsentState)
    at = models.DateTimeField(_("when"))
    source = models.CharField(_("source"), max_length=40)
    proof = models.JSONField(_("proof"), default=dict)

    class Meta:
        verbose_name = _("consent change")
        verbose_name_plural = _("consent history")
        ordering = ["-at", "-id"]

    def __str__(self) -> str:
        return f"{self.channel}/{self.purpose}: {self.state}"

    @property
    def source_words(self) -> str:
        """Where it was said."""
        return source_words(self.source)

    @property
    def proof_words(self) -> list[tuple[str, str]]:
        """What proves it, each with its name."""
        return proof_words(self.proof)
