"""The admin: one site in Unfold's shell, and the bases of every admin of an organization's data."""

import re
from collections.abc import Sequence
from typing import Any

from django.contrib.admin import AdminSite
from django.contrib.admin.utils import flatten_fieldsets
from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.db.models import QuerySet
from django.forms import Form, ModelForm
from django.http import HttpRequest, HttpResponse
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin, TabularInline
from unfold.sites import UnfoldAdminSite
from unfold.views import ChangeList
from unfold.widgets import INPUT_CLASSES, UnfoldAdminTextInputWidget

from accounts.admin_columns import name_relations, readable, readable_fieldsets
from accounts.audit import SYSTEM, Actor, record_audit
from accounts.fields import DayField, MomentField, NumberField
from accounts.forms import LoginForm, TenantModelForm
from accounts.models import Membership, User
from accounts.pagination import PAGE_SIZE, BoundedPaginator
from accounts.permissions import Permission, access_of


class RegularsSite(UnfoldAdminSite):
    """Open to everyone with a seat in an organization, and to platform administrators."""

    login_form = LoginForm
    index_title = _("All records")
    enable_nav_sidebar = True

    def has_permission(self, request: HttpRequest) -> bool:
        user = request.user
        return isinstance(user, User) and user.is_active and (user.is_superuser or access_of(request) is not None)


def actor_of(request: HttpRequest) -> Actor:
    """Who acts in this request."""
    access = access_of(request)
    return access.actor if access else SYSTEM


class _Silent:
    """Leaves no LogEntry: audit entries tell of changes, with their values and inside the tenant wall."""

    def log_addition(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        pass

    def log_change(self, request: HttpRequest, obj: models.Model, message: Any) -> None:
        pass

    def log_deletions(self, request: HttpRequest, queryset: Any) -> None:
        pass


class PlatformModelAdmin(_Silent, ModelAdmin):
    """An admin of the platform's own tables, for platform administrators alone."""

    list_per_page = PAGE_SIZE


class _Guarded:
    """Answers Django's permission questions from the matrix; ``None`` means never."""

    view_permission: Permission | None = None
    add_permission: Permission | None = None
    change_permission: Permission | None = None
    delete_permission: Permission | None = None

    def has_view_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return _allows(request, self.view_permission) or _allows(request, self.change_permission)

    def has_add_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return _allows(request, self.add_permission)

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return _allows(request, self.change_permission)

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return _allows(request, self.delete_permission)

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request) or self.has_add_permission(request)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        # Days and moments are typed in the reader's calendar, numbers in any digits.
        kind = MomentField if isinstance(db_field, models.DateTimeField) else DayField if isinstance(db_field, models.DateField) else None
        if kind is not None and db_field.editable:
            field = kind(label=capfirst(db_field.verbose_name), required=not db_field.blank, help_text=db_field.help_text)
            for widget in getattr(field.widget, "widgets", [field.widget]):
                widget.attrs["class"] = " ".join(INPUT_CLASSES)
            return field
        if isinstance(db_field, models.IntegerField) and not db_field.choices:
            kwargs = {"form_class": NumberField, "widget": UnfoldAdminTextInputWidget(attrs={"inputmode": "numeric"})} | kwargs
        return super().formfield_for_dbfield(db_field, request, **kwargs)  # type: ignore[misc]  # mixed into ModelAdmin

    def formfield_for_foreignkey(self, db_field: models.ForeignKey[Any, Any], request: HttpRequest, **kwargs: Any) -> Any:
        # The wall limits the choices to the organization; a member's name is its user's, read along with it.
        if db_field.remote_field.model is Membership and "queryset" not in kwargs:
            kwargs["queryset"] = Membership.objects.select_related("user")
        return super().formfield_for_foreignkey(db_field, request, **kwargs)  # type: ignore[misc]  # mixed into ModelAdmin


def _allows(request: HttpRequest, permission: Permission | None) -> bool:
    access = access_of(request)
    return permission is not None and access is not None and access.allows(permission)


class TenantChangeList(ChangeList):
    """Says how many rows fit, without counting those that do not."""

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.full_result_count = self.result_count
        self.page = self.paginator.get_page(self.page_num)


class TenantModelAdmin(_Silent, _Guarded, ModelAdmin):
    """An admin of an organization's data.

    Say who may view, add, change and delete with the four ``…_permission`` attributes. Where an action exists,
    override ``create_record`` or ``change_record`` to call it: a ``ValidationError`` it raises is shown at the field.
    Otherwise the row is saved here, with an audit entry of what changed.
    """

    form = TenantModelForm
    paginator = BoundedPaginator
    list_per_page = PAGE_SIZE
    list_max_show_all = PAGE_SIZE
    show_full_result_count = False
    list_fullwidth = True
    # The lookup of the location that limits what a member of some locations sees, such as "location".
    location_lookup: str | None = None

    def __init__(self, model: type[models.Model], site: AdminSite) -> None:
        name_relations(model)
        super().__init__(model, site)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        access = access_of(request)
        if self.location_lookup and access and access.location_ids is not None:
            rows = rows.filter(**{f"{self.location_lookup}__in": access.location_ids})
        return rows

    def get_list_display(self, request: HttpRequest) -> Any:
        return readable(self.model, super().get_list_display(request), request)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)
        may_change = obj is None or self.has_change_permission(request, obj)
        fixed = self.fixed_fields(request, obj) if may_change else flatten_fieldsets(fieldsets)
        return readable_fieldsets(self.model, fieldsets, fixed, request)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return readable(self.model, self.fixed_fields(request, obj), request)

    def fixed_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[str]:
        """What is shown and not edited; override instead of ``get_readonly_fields``, which puts it in words."""
        return self.readonly_fields  # type: ignore[no-any-return]  # untyped in Unfold

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return TenantChangeList

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Show the form; when an action refuses what was typed, show it again with the reasons at the fields."""
        try:
            with transaction.atomic():
                return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]  # untyped in Unfold
        except ValidationError as error:
            request.refused = error  # type: ignore[attr-defined]  # read by get_form
            return super().changeform_view(request, *args, **kwargs)  # type: ignore[no-any-return]  # untyped in Unfold

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[ModelForm[Any]]:
        form: type[ModelForm[Any]] = super().get_form(request, obj, change=change, **kwargs)
        refused = getattr(request, "refused", None)
        return type(form.__name__, (form,), {"refused": refused}) if refused else form

    def save_model(self, request: HttpRequest, obj: Any, form: Form, change: bool) -> None:
        actor = actor_of(request)
        if change:
            self.change_record(obj, form=form, actor=actor)
            return
        created = self.create_record(obj, form=form, actor=actor)
        obj.pk, obj._state.adding = created.pk, False

    def create_record(self, obj: Any, *, form: Form, actor: Actor) -> models.Model:
        """Write a new row and its audit entry; override to call an action."""
        obj.save(force_insert=True)
        record_audit(action=self._verb("created"), subject=obj, actor=actor, after=_values(obj, form.changed_data))
        return obj  # type: ignore[no-any-return]  # the row the form made

    def change_record(self, obj: Any, *, form: Form, actor: Actor) -> None:
        """Write what differs and its audit entry; override to call an action."""
        if not form.changed_data:
            return
        before = {name: form.initial.get(name) for name in form.changed_data}
        fields = [field for field in obj._meta.concrete_fields if field.name in form.changed_data or getattr(field, "auto_now", False)]
        obj.save(update_fields=[field.name for field in fields])
        record_audit(action=self._verb("changed"), subject=obj, actor=actor, before=before, after=_values(obj, form.changed_data))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        before = _values(obj, [field.name for field in obj._meta.concrete_fields])
        record_audit(action=self._verb("deleted"), subject=obj, actor=actor_of(request), before=before)
        obj.delete()

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for obj in queryset:
            self.delete_model(request, obj)

    def _verb(self, verb: str) -> str:
        noun = re.sub(r"(?<!^)(?=[A-Z])", "_", self.model.__name__).lower()
        return f"{noun}.{verb}"


def _values(obj: models.Model, names: list[str]) -> dict[str, Any]:
    known = {field.name: field.attname for field in obj._meta.concrete_fields}
    return {name: getattr(obj, known[name]) for name in names if name in known}


class ReadOnlyTenantAdmin(TenantModelAdmin):
    """A ledger: it can be searched and read, and only its own actions write it."""

    add_permission = change_permission = delete_permission = None


class TenantInline(_Guarded, TabularInline):
    """Rows of an organization's data under another; guarded as ``TenantModelAdmin``."""

    form = TenantModelForm
    extra = 0
    hide_title = True


class ReadOnlyTenantInline(TenantInline):
    """Rows shown under another that only actions write."""

    can_delete = False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        names = self.fields or [field.name for field in self.model._meta.fields if field.name != "organization"]
        return readable(self.model, list(names), request)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return self.get_readonly_fields(request, obj)
