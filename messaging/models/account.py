from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import TenantModel
from crm.models import Channel
from messaging.encryption import EncryptedJSONField


class SenderKind(models.TextChoices):
    SMTP = "smtp", _("SMTP server")
    SENDGRID = "sendgrid", "SendGrid"
    MAILGUN = "mailgun", "Mailgun"
    POSTMARK = "postmark", "Postmark"
    BREVO = "brevo", "Brevo"
    ANYMAIL_TEST = "test", _("Test service (keeps messages in memory)")


class SenderAccount(TenantModel):
    """Where messages of a channel leave from: a server or a service, its identity and its limits."""

    name = models.CharField(_("name"), max_length=80)
    channel = models.CharField(_("channel"), max_length=10, choices=Channel, default=Channel.EMAIL)
    kind = models.CharField(_("kind"), max_length=20, choices=SenderKind, default=SenderKind.SMTP)
    from_name = models.CharField(_("sender name"), max_length=80, blank=True)
    from_email = models.EmailField(_("sender address"), blank=True)
    reply_to = models.EmailField(_("answers go to"), blank=True)
    options = models.JSONField(
        _("options"), default=dict, blank=True, help_text=_('For SMTP: {"host": …, "port": …, "security": "none" | "starttls" | "tls"}.')
    )
    credentials = EncryptedJSONField(_("credentials"), default=dict, blank=True)
    connections = models.PositiveSmallIntegerField(_("connections"), default=16, validators=[MinValueValidator(1), MaxValueValidator(128)])
    rate_per_second = models.PositiveIntegerField(
        _("messages per second"), null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("Empty: no limit.")
    )
    is_active = models.BooleanField(_("active"), default=True)
    # The circuit breaker: closed while failures stay under the limit, open until the given time afterwards.
    failure_count = models.PositiveIntegerField(default=0, editable=False)
    open_until = models.DateTimeField(null=True, editable=False)
    failure = models.CharField(max_length=300, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)

    class Meta:
        verbose_name = _("sender")
        verbose_name_plural = _("senders")
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["organization", "name"], name="sender_name")]

    def __str__(self) -> str:
        return self.name
