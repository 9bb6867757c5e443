from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from accounts.admin_filters import MomentRangeFilter
from accounts.admin_site import ReadOnlyTenantAdmin
from accounts.audit_words import told_action, told_field, told_kind
from accounts.models import AuditEntry
from accounts.permissions import Permission


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyTenantAdmin):
    """Who changed what, from what to what; nothing here can be changed."""

    view_permission = Permission.AUDIT_VIEW
    list_display = ("at", "actor_label", "what", "subject_label", "kind")
    list_filter = ("actor_kind", ("at", MomentRangeFilter))
    list_filter_submit = True
    search_fields = ("action__startswith", "actor_label__istartswith", "subject_label__istartswith")
    ordering = ("-at", "-id")
    fields = ("at", "who", "what", "action", "subject", "changes")
    readonly_fields = fields

    @admin.display(description=_("what"), ordering="action")
    def what(self, entry: AuditEntry) -> str:
        return told_action(entry.action, entry.subject_type)

    @admin.display(description=_("kind of subject"), ordering="subject_type")
    def kind(self, entry: AuditEntry) -> str:
        return told_kind(entry.subject_type)

    @admin.display(description=_("who"))
    def who(self, entry: AuditEntry) -> str:
        return f"{entry.actor_label} ({entry.get_actor_kind_display()})"

    @admin.display(description=_("subject"))
    def subject(self, entry: AuditEntry) -> SafeString | str:
        label = f"{entry.subject_label} ({told_kind(entry.subject_type)} #{entry.subject_id})"
        try:
            url = reverse(f"admin:{entry.subject_type.replace('.', '_')}_change", args=[entry.subject_id])
        except NoReverseMatch:
            return label
        return format_html('<a class="text-primary-600" href="{}">{}</a>', url, label)

    @admin.display(description=_("changes"))
    def changes(self, entry: AuditEntry) -> SafeString:
        return changes_table(entry.subject_type, entry.before or {}, entry.after or {})

    def get_search_help_text(self, request: HttpRequest) -> str:
        return gettext("The beginning of an action, a person or a subject")


def changes_table(subject_type: str, before: dict[str, Any], after: dict[str, Any]) -> SafeString:
    """Field by field, what was and what is."""
    rows = ((told_field(subject_type, name), _shown(before, name), _shown(after, name)) for name in sorted({*before, *after}))
    body = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>', rows)
    return format_html(
        '<div class="table-scroll" tabindex="0"><table class="table"><thead><tr><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th>'
        "</tr></thead><tbody>{}</tbody></table></div>",
        _("Field"),
        _("Before"),
        _("After"),
        body,
    )


def _shown(values: dict[str, Any], name: str) -> str:
    if name not in values:
        return ""
    value = values[name]
    match value:
        case None | "" | [] | {}:
            return "–"
        case bool():
            return gettext("yes") if value else gettext("no")
        case list():
            return ", ".join(map(str, value))
        case _:
            return str(value)
