from typing import Any

from django.contrib import admin
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.admin_site import TenantModelAdmin
from accounts.audit import Actor, record_audit
from accounts.formats import format_moment
from accounts.permissions import Permission
from messaging.admin.sender_form import SERVER_FIELDS, SenderForm
from messaging.models import SenderAccount


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
        (_("Server"), {"fields": ("host", ("port", "security"), "username", "secret", "credentials_state", "options")}),
        (_("Limits"), {"fields": ("connections", "rate_per_second")}),
        (_("State"), {"fields": ("state",)}),
    )
    readonly_fields = ("credentials_state", "state")

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
        return str(
            _("paused after failures until %(time)s: %(reason)s") % {"time": format_moment(account.open_until), "reason": account.failure}
        )

    def create_record(self, obj: Any, *, form: Any, actor: Actor) -> SenderAccount:
        form.put_secrets(obj)
        obj.save(force_insert=True)
        record_audit(action="sender_account.created", subject=obj, actor=actor, after=_told(obj, form))
        return obj  # type: ignore[no-any-return]  # the row the form made

    def change_record(self, obj: Any, *, form: Any, actor: Actor) -> None:
        if not form.changed_data:
            return
        before = {name: form.initial.get(name) for name in form.changed_data if name not in _SECRETS}
        form.put_secrets(obj)
        obj.save()
        record_audit(action="sender_account.changed", subject=obj, actor=actor, before=before, after=_told(obj, form))


_SECRETS = ("username", "secret")


def _told(account: SenderAccount, form: Any) -> dict[str, Any]:
    """What the audit log may know: of credentials only that, never what."""
    given = {**account.options, **{name: getattr(account, name, None) for name in form.Meta.fields}}
    after = {name: given.get(name) for name in form.changed_data if name in {*form.Meta.fields, *SERVER_FIELDS}}
    return after | ({"credentials": "replaced"} if form.tells_secrets else {})
