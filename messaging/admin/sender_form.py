"""The form of a sender: a server's address and secrets in fields of their own; secrets go in and never come out."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.forms import TenantModelForm
from messaging.channels.base import UnsupportedFeatureError, transport, transports
from messaging.channels.registry import open_messenger
from messaging.models import SenderAccount, SenderKind

SERVER_FIELDS = ("host", "port", "security")
_LATIN = {"dir": "ltr", "autocomplete": "off", "spellcheck": "false"}
_SECURITY = [("starttls", "STARTTLS"), ("tls", "TLS"), ("none", _("none (only on this machine)"))]


class SenderForm(TenantModelForm):
    """Fields of the model, those of an SMTP server, and the secrets; an empty secret leaves what is kept."""

    host = forms.CharField(label=_("SMTP server"), max_length=253, required=False, widget=UnfoldAdminTextInputWidget(attrs=_LATIN))
    port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65_535, required=False, widget=UnfoldAdminIntegerFieldWidget)
    security = forms.ChoiceField(label=_("Protection"), choices=_SECURITY, required=False, widget=UnfoldAdminSelectWidget)
    username = forms.CharField(label=_("User name"), max_length=254, required=False, widget=UnfoldAdminTextInputWidget(attrs=_LATIN))
    secret = forms.CharField(
        label=_("Password or API key"), max_length=1_000, required=False, strip=False,
        widget=UnfoldAdminPasswordWidget(attrs={"dir": "ltr", "autocomplete": "new-password"}),
        help_text=_("Kept encrypted and never shown again. Empty: what is kept stays."),
    )  # fmt: skip
    options = forms.JSONField(
        label=_("Further options"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, **_LATIN}),
        help_text=_('As JSON, such as {"sender_domain": "mg.example.com"}; see the guide to senders.'),
    )  # fmt: skip

    class Meta:
        model = SenderAccount
        fields = (
            "name", "channel", "kind", "from_name", "from_email", "reply_to", "options", "connections", "rate_per_second", "is_active",
        )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = dict(self.instance.options or {})
        server = {name: known.pop(name, default) for name, default in zip(SERVER_FIELDS, ("", 587, "starttls"), strict=True)}
        self.initial = {**self.initial, **server, "options": known}

    def clean_options(self) -> dict[str, Any]:
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict):
            raise ValidationError(_("Write the options as JSON in braces."))
        secret = {name for each in transports() for name in each.secrets} & set(options)
        if secret:
            raise ValidationError(
                _("%(names)s belongs to the fields above, where it is kept encrypted.") % {"names": ", ".join(sorted(secret))}
            )
        return options

    def clean(self) -> dict[str, Any]:
        super().clean()
        data = self.cleaned_data
        options = dict(data.get("options") or {})
        if data.get("kind") == SenderKind.SMTP:
            options |= {name: data[name] for name in SERVER_FIELDS if data.get(name)}
            if not data.get("host"):
                self.add_error("host", _("Name the server."))
        data["options"] = options
        return data

    @property
    def tells_secrets(self) -> bool:
        """Whether new ones were typed, or those of another service are dropped."""
        return self._changes_service or bool(self.cleaned_data.get("username") or self.cleaned_data.get("secret"))

    @property
    def _changes_service(self) -> bool:
        return self.instance.pk is not None and "kind" in self.changed_data

    def put_secrets(self, account: SenderAccount) -> None:
        """Give the sender the secrets that were typed, and see that it can be opened with all it has now.

        Raises:
            ValidationError: it cannot be opened.
        """
        try:
            if self.tells_secrets:
                account.credentials = self._credentials(account)
            open_messenger(account)
        except (UnsupportedFeatureError, ValueError) as error:
            raise ValidationError({"kind": [str(error)]}) from error

    def _credentials(self, account: SenderAccount) -> dict[str, str]:
        try:
            kept = {} if self._changes_service else dict(account.credentials)
        except ValueError:  # encrypted with a key we no longer have
            kept = {}
        names = transport(account.channel, account.kind).secrets
        username, secret = self.cleaned_data["username"], self.cleaned_data["secret"]
        if username and "username" in names:
            kept["username"] = username
        if secret:
            kept[next((name for name in names if name != "username"), "password")] = secret
        return kept
