from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from accounts.admin_site import ReadOnlyTenantAdmin, TenantModelAdmin, actor_of
from accounts.audit import Actor
from accounts.formats import format_moment, format_number
from accounts.forms import TenantModelForm
from accounts.permissions import Permission
from crm.models import Channel, Purpose
from messaging.actions.templates import archive_template, create_template, restore_template, save_version, source_of, update_template
from messaging.content.frame import MessageSource
from messaging.content.problems import MessageRejectedError, Severity
from messaging.models import MessageTemplate, TemplateVersion
from messaging.previews import template_problems
from messaging.variables import known_variables

STARTER = """<h1>Hello {{ customer.first_name | default("friend") }}</h1>
<p>Write here what you have to say.</p>
<p><a href="https://example.org/">A link</a></p>
{{ footer }}
"""


class TemplateForm(TenantModelForm):
    """A template with the words of its newest version; saving other words makes the next version."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=UnfoldAdminSelectWidget)
    subject = forms.CharField(label=_("Subject"), max_length=250, widget=UnfoldAdminTextInputWidget(attrs={"dir": "auto"}))
    preheader = forms.CharField(
        label=_("Preview text"),
        max_length=250,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"dir": "auto"}),
        help_text=_("Shown after the subject in the list of messages."),
    )
    html = forms.CharField(
        label=_("Message"),
        max_length=300_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, "dir": "ltr", "spellcheck": "false", "class": "font-mono"}),
        help_text=_(
            "HTML. Variables look like {{ customer.first_name | default(“friend”) }}; {{ footer }} is the sender's address and the way out."
        ),
    )
    text = forms.CharField(
        label=_("Text part"), max_length=100_000, required=False,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "dir": "auto"}),
        help_text=_("Empty: made from the message."),
    )  # fmt: skip

    class Meta:
        model = MessageTemplate
        fields = ("name", "channel", "purpose")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = self.instance.versions.order_by("-number").first() if self.instance.pk else None
        words = source_of(newest) if newest else MessageSource(subject="", html=STARTER)
        for name in ("language", "subject", "preheader", "html", "text"):
            self.initial.setdefault(name, getattr(words, name))

    def source(self) -> MessageSource:
        """The words as they stand in the form."""
        data = self.cleaned_data
        names = ("subject", "html", "text", "preheader", "language")
        return MessageSource(**{name: data.get(name, "") for name in names})


@admin.register(MessageTemplate)
class MessageTemplateAdmin(TenantModelAdmin):
    """Templates of messages; each saved wording is a version that never changes."""

    form = TemplateForm
    view_permission = Permission.TEMPLATES_VIEW
    add_permission = change_permission = Permission.TEMPLATES_CHANGE
    list_display = ("name", "channel", "purpose", "version_count", "last_saved_at", "preview", "archived")
    list_filter = ("channel", "purpose", ("archived_at", admin.EmptyFieldListFilter))
    search_fields = ("name",)
    ordering = ("archived_at", "name")
    actions = ("archive", "restore")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> list[tuple[Any, dict[str, Any]]]:
        about = ("name", ("channel", "purpose"), "preview") if obj else ("name", ("channel", "purpose"))
        return [(None, {"fields": about}), (_("Words"), {"fields": ("language", "subject", "preheader", "html", "variables", "text")})]

    def get_queryset(self, request: HttpRequest) -> QuerySet[MessageTemplate]:
        rows: QuerySet[MessageTemplate] = super().get_queryset(request)
        return rows.annotate(version_total=Count("versions"), saved_at=Max("versions__created_at"))

    def fixed_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("channel", "preview", "variables") if obj else ("variables",)

    @admin.display(description=_("versions"), ordering="version_total")
    def version_count(self, template: Any) -> str:
        return format_number(template.version_total)

    @admin.display(description=_("saved"), ordering="saved_at")
    def last_saved_at(self, template: Any) -> str:
        return format_moment(template.saved_at)

    @admin.display(description=_("preview"))
    def preview(self, template: MessageTemplate) -> SafeString:
        url = reverse("messaging:template_preview", args=[template.pk])
        return format_html('<a class="text-primary-600 underline" href="{}">{}</a>', url, _("Preview and test"))

    @admin.display(description=_("Variables"))
    def variables(self, template: MessageTemplate) -> SafeString:
        """What may be printed, in the words of the template language."""
        rows = format_html_join(
            "",
            '<tr><th scope="row"><code dir="ltr">{{{{ {} }}}}</code></th><td>{}</td><td>{}</td></tr>',
            ((name, variable.label, variable.sample) for name, variable in known_variables().items() if variable.label),
        )
        head = format_html(
            '<thead><tr><th scope="col">{}</th><th scope="col">{}</th><th scope="col">{}</th></tr></thead>',
            _("Write"), _("Meaning"), _("Example"),
        )  # fmt: skip
        body = format_html('<table class="table">{}<tbody>{}</tbody></table>', head, rows)
        return format_html('<details><summary>{}</summary><div class="table-scroll">{}</div></details>', _("Show all"), body)

    @admin.display(description=_("archived"), ordering="archived_at")
    def archived(self, template: MessageTemplate) -> str:
        return format_moment(template.archived_at)

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> models.Model:
        template = create_template(name=obj.name, channel=Channel(obj.channel), purpose=Purpose(obj.purpose), actor=actor)
        _save_words(template, form, actor)
        return template

    def change_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> None:
        kept = MessageTemplate.objects.get(pk=obj.pk)
        update_template(template=kept, name=obj.name, purpose=Purpose(obj.purpose), actor=actor)
        _save_words(kept, form, actor)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Tell what is still to be mended."""
        _tell_problems(request, obj)
        response: HttpResponse = super().response_add(request, obj, post_url_continue)
        return response

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        """Tell what is still to be mended."""
        _tell_problems(request, obj)
        response: HttpResponse = super().response_change(request, obj)
        return response

    @admin.action(description=_("Archive the chosen templates"), permissions=["change"])
    def archive(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        found = list(queryset)
        for template in found:
            archive_template(template=template, now=timezone.now(), actor=actor_of(request))
        words = ngettext("%(count)s template is archived.", "%(count)s templates are archived.", len(found))
        messages.success(request, words % {"count": len(found)})

    @admin.action(description=_("Bring the chosen templates back"), permissions=["change"])
    def restore(self, request: HttpRequest, queryset: QuerySet[MessageTemplate]) -> None:
        for template in queryset:
            restore_template(template=template, actor=actor_of(request))


def _tell_problems(request: HttpRequest, template: MessageTemplate) -> None:
    for problem in template_problems(template, template.versions.order_by("-number").first()):
        tell = messages.error if problem.severity is Severity.ERROR else messages.warning
        tell(request, problem.message)


def _save_words(template: MessageTemplate, form: Any, actor: Actor) -> None:
    try:
        save_version(template=template, source=form.source(), actor=actor)
    except MessageRejectedError as error:
        found: dict[str, list[str]] = {}
        for problem in error.problems:
            field = problem.part if problem.part in form.fields else "html"
            line = _("Line %(line)s: ") % {"line": format_number(problem.line)} if problem.line else ""
            found.setdefault(str(field), []).append(f"{line}{problem.message}")
        raise ValidationError(found) from error


@admin.register(TemplateVersion)
class TemplateVersionAdmin(ReadOnlyTenantAdmin):
    """Every wording that was ever saved."""

    view_permission = Permission.TEMPLATES_VIEW
    list_display = ("template", "number", "language", "subject", "created_by", "created_at")
    list_select_related = ("template", "created_by")
    list_filter = ("language",)
    search_fields = ("template__name", "subject")
    ordering = ("template__name", "-number")
    fields = ("template", "number", "language", "subject", "preheader", "html", "text", "links", "created_by", "created_at")
