"""Segments in the admin: every record can be reached; the rules are built on their page."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from accounts.admin_site import ReadOnlyTenantAdmin, TenantModelAdmin, actor_of
from accounts.audit import Actor
from accounts.permissions import Permission
from segmentation.actions import create_segment, delete_segment, update_segment
from segmentation.models import Segment, SegmentKind, SegmentMember
from segmentation.queries import read_rules
from segmentation.references import References, uses_elsewhere
from segmentation.rules import RulesError
from segmentation.sentences import Narrator
from segmentation.words import Words


@admin.register(Segment)
class SegmentAdmin(TenantModelAdmin):
    view_permission = Permission.SEGMENTS_VIEW
    add_permission = change_permission = delete_permission = Permission.SEGMENTS_CHANGE
    list_display = ["name", "kind", "member_count", "counted_at", "updated_at"]
    list_filter = ["kind"]
    search_fields = ["name", "description"]
    fields = ["name", "description", "kind", "rules", "sentence", "builder", "member_count", "counted_at", "created_at", "updated_at"]
    readonly_fields = ["sentence", "builder", "member_count", "counted_at", "created_at", "updated_at"]

    def fixed_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [*self.readonly_fields, *(["kind"] if obj else [])]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Not for one that other segments or programs refer to; campaigns are named by the admin itself."""
        in_use = obj is not None and (References().users_of(obj.pk) or uses_elsewhere(obj.pk))
        return super().has_delete_permission(request, obj) and not in_use

    @admin.display(description=_("in words"))
    def sentence(self, segment: Segment) -> str:
        if segment.pk is None or segment.kind != SegmentKind.DYNAMIC:
            return "–"
        try:
            words = Words()
            return Narrator(words).sentence(read_rules(segment.rules, words=words, is_stored=True))
        except RulesError as error:
            return str(error)

    @admin.display(description=_("page"))
    def builder(self, segment: Segment) -> str:
        if segment.pk is None:
            return format_html('<a href="{}">{}</a>', reverse("segmentation:new"), _("Build it without writing rules"))
        return format_html('<a href="{}">{}</a>', reverse("segmentation:segment", args=[segment.pk]), segment.name)

    def create_record(self, obj: Segment, *, form: Form, actor: Actor) -> Segment:
        return create_segment(
            name=obj.name, description=obj.description, kind=SegmentKind(obj.kind), rules=obj.rules, actor=actor, now=timezone.now()
        )

    def change_record(self, obj: Segment, *, form: Form, actor: Actor) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        update_segment(segment=Segment.objects.get(pk=obj.pk), actor=actor, now=timezone.now(), **values)

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        try:
            delete_segment(segment=obj, actor=actor_of(request), now=timezone.now())
        except ValidationError as error:
            self.message_user(request, " ".join(error.messages), "error")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Segment]) -> None:
        for segment in queryset:
            self.delete_model(request, segment)


@admin.register(SegmentMember)
class SegmentMemberAdmin(ReadOnlyTenantAdmin):
    view_permission = Permission.SEGMENTS_VIEW
    list_display = ["customer", "segment", "added_at"]
    list_filter = ["segment"]
    list_select_related = ["customer", "segment"]
    search_fields = ["customer__email__exact", "customer__last_name"]
    ordering = ["-id"]
