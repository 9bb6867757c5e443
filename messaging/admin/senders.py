import json
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminTextareaWidget

from accounts.admin_site import TenantModelAdmin
from accounts.audit import Actor, record_audit
from accounts.forms import TenantModelForm
from accounts.permissions import Permission
from messaging.channels.base import UnsupportedFeatureError, transports
from messaging.channels.registry import open_messenger
from messaging.models import SenderAccount


class SenderForm(TenantModelForm):
    """A sender; its credentials can be set and replaced here, and are never shown."""

    new_credentials = forms.CharField(
        label=_("Credentials"), required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "dir": "ltr", "autocomplete": "off", "spellcheck": "false"}),
        help_text=_('Kept encrypted and never shown again. For SMTP: {"username": …, "password": …}; for a service: {"api_key": …}. Empty leaves them as they are.'),
    )  # fmt: skip

    class Meta:
        model = SenderAccount
        fields = (
            "name", "channel", "kind", "from_name", "from_email", "reply_to", "options", "connections", "rate_per_second", "is_active",
        )  # fmt: skip

    def clean_new_credentials(self) -> dict[str, Any] | None:
        typed = self.cleaned_data["new_credentials"].strip()
        if not typed:
            return None
        try:
            given = json.loads(typed)
        except ValueError:
            given = None
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise ValidationError(_('Write them as JSON, such as {"username": "…", "password": "…"}.'))
        return given

    def clean_options(self) -> dict[str, Any]:
        options = self.cleaned_data["options"] or {}
        if not isinstance(options, dict):
            raise ValidationError(_("Write the options as JSON in braces."))
        secret = {name for transport in transports() for name in transport.secrets} & set(options)
        if secret:
            raise ValidationError(
                _("%(names)s belongs to the credentials, where it is kept encrypted.") % {"names": ", ".join(sorted(secret))}
            )
        return options


@admin.register(SenderAccount)
class SenderAccountAdmin(TenantModelAdmin):
    """Where messages leave from. Secrets go in and never come out; the audit log says only that they changed."""

    form = SenderForm
    view_permission = add_permission = change_permission = Permission.SENDERS_CHANGE
    list_display = ("name", "channel", "kind", "from_email", "rate_per_second", "is_active", "works")
    list_filter = ("channel", "kind", "is_active")
    search_fields = ("name", "from_email")
    fieldsets = (
        (None, {"fields": ("name", ("channel", "kind"), "is_active")}),
        (_("Identity"), {"fields": ("from_name", "from_email", "reply_to")}),
        (_("Server"), {"fields": ("options", "credentials_state", "new_credentials")}),
        (_("Limits"), {"fields": ("connections", "rate_per_second")}),
        (_("State"), {"fields": ("state",)}),
    )
    readonly_fields = ("credentials_state", "state")

    def get_queryset(self, request: HttpRequest) -> QuerySet[SenderAccount]:
        # Not read unless asked for: a list must not fail because of credentials that cannot be decrypted any longer.
        rows: QuerySet[SenderAccount] = super().get_queryset(request)
        return rows.defer("credentials")

    @admin.display(description=_("works"), boolean=True)
    def works(self, account: SenderAccount) -> bool:
        return account.open_until is None or account.open_until <= timezone.now()

    @admin.display(description=_("Credentials kept"))
    def credentials_state(self, account: SenderAccount) -> str:
        try:
            names = sorted(account.credentials)
        except ValueError as error:  # encrypted with a key we no longer have
            return str(error)
        return ", ".join(names) if names else str(_("none"))

    @admin.display(description=_("state"))
    def state(self, account: SenderAccount) -> str:
        if account.pk is None or self.works(account):
            return str(_("works"))
        return str(_("paused after failures until %(time)s: %(reason)s") % {"time": account.open_until, "reason": account.failure})

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> SenderAccount:
        self._take_credentials(obj, form)
        obj.save(force_insert=True)
        record_audit(action="sender_account.created", subject=obj, actor=actor, after=_told(obj, form))
        return obj  # type: ignore[no-any-return]  # the row the form made

    def change_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> None:
        if not form.changed_data:
            return
        before = {name: form.initial.get(name) for name in form.changed_data if name != "new_credentials"}
        self._take_credentials(obj, form)
        obj.save()
        record_audit(action="sender_account.changed", subject=obj, actor=actor, before=before, after=_told(obj, form))

    def _take_credentials(self, account: SenderAccount, form: forms.Form) -> None:
        """Set them, and see that the sender can be opened with all it has now."""
        if form.cleaned_data.get("new_credentials") is not None:
            account.credentials = form.cleaned_data["new_credentials"]
        try:
            open_messenger(account)
        except (UnsupportedFeatureError, ValueError) as error:
            raise ValidationError({"options": [str(error)]}) from error

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"options": {"host": "127.0.0.1", "port": 25, "security": "none"}, **super().get_changeform_initial_data(request)}


def _told(account: SenderAccount, form: forms.Form) -> dict[str, Any]:
    """What the audit log may know: of credentials only that, never what."""
    after = {name: getattr(account, name) for name in form.changed_data if name != "new_credentials"}
    return after | ({"credentials": "replaced"} if "new_credentials" in form.changed_data else {})
