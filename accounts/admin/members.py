from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget, UnfoldBooleanSwitchWidget

from accounts.actions import change_member, invite_member
from accounts.admin_site import TenantModelAdmin
from accounts.audit import Actor
from accounts.forms import TenantModelForm
from accounts.invitations import mail_password_link
from accounts.models import Location, Membership, Role
from accounts.permissions import Permission, access_of
from accounts.queries import current_organization


class MemberForm(TenantModelForm):
    """A member's role and the locations it is limited to; who is limited hands on some of their own locations, never all."""

    own_locations: ClassVar[frozenset[int] | None] = None

    locations = forms.ModelMultipleChoiceField(
        queryset=Location.objects.none(),
        required=False,
        label=_("Only at these locations"),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Choose none for a member who works for all of them."),
    )

    class Meta:
        model = Membership
        fields: tuple[str, ...] = ("role", "is_active")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = self.fields["locations"]
        places.queryset = Location.objects.all()  # type: ignore[attr-defined]  # a model choice field
        if self.own_locations is not None:
            places.queryset = Location.objects.filter(pk__in=self.own_locations)  # type: ignore[attr-defined]  # as above
            places.required, places.help_text = True, ""
        if self.instance.pk:
            limits = self.instance.location_limits.values_list("location_id", flat=True)
            places.initial = list(limits)


class NewMemberForm(MemberForm):
    """Asks for the address of the person; whoever has no account yet gets one."""

    email = forms.EmailField(label=_("E-mail"), widget=UnfoldAdminEmailInputWidget)
    name = forms.CharField(label=_("Name"), max_length=120, required=False, widget=UnfoldAdminTextInputWidget)

    class Meta(MemberForm.Meta):
        fields = ("role",)


@admin.register(Membership)
class MembershipAdmin(TenantModelAdmin):
    """Who works here. Only an owner makes or changes an owner, and one owner always stays."""

    form = MemberForm
    view_permission = add_permission = change_permission = Permission.MEMBERS_CHANGE
    list_display = ("user", "email", "role", "limited_to", "is_active")
    list_filter = ("role", "is_active")
    list_select_related = ("user",)
    search_fields = ("user__email", "user__name")
    ordering = ("user__email",)

    @admin.display(description=_("e-mail"), ordering="user__email")
    def email(self, member: Membership) -> str:
        return member.user.email

    @admin.display(description=_("locations"))
    def limited_to(self, member: Membership) -> str:
        names = [location.name for location in member.locations.all()]
        return ", ".join(names) or str(_("all"))

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Membership]:
        return super().get_queryset(request).select_related("user").prefetch_related("locations")

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> type[forms.ModelForm[Any]]:
        form = super().get_form(request, obj, change, **({} if obj else {"form": NewMemberForm}) | kwargs)
        form.own_locations = _own_locations(request)  # type: ignore[attr-defined]  # a form of ours, made for this request
        if "role" in form.base_fields and not _is_owner(request):
            roles = [choice for choice in Role.choices if choice[0] != Role.OWNER]
            form.base_fields["role"].choices = roles  # type: ignore[attr-defined]  # a choice field
        return form

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("role", "locations", "is_active") if obj else ("email", "name", "role", "locations")

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "is_active":
            kwargs["widget"] = UnfoldBooleanSwitchWidget
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or ((obj.role != Role.OWNER or _is_owner(request)) and _is_within_own_locations(request, obj)))

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> models.Model:
        data = form.cleaned_data
        return invite_member(email=data["email"], name=data["name"], role=Role(data["role"]), locations=data["locations"], actor=actor)

    def change_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> None:
        data = form.cleaned_data
        change_member(membership=obj, role=Role(data["role"]), is_active=data["is_active"], locations=data["locations"], actor=actor)

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        member = Membership.objects.select_related("user").get(pk=obj.pk)
        if not member.user.has_usable_password():
            organization = current_organization()
            mail_password_link(request, member.user, language=organization.language, organization=organization.name)
            messages.info(request, gettext("A link to choose a password goes to {user} by mail.").format(user=member.user.email))
        return super().response_add(request, member, post_url_continue)  # type: ignore[no-any-return]  # untyped in Unfold


def _is_owner(request: HttpRequest) -> bool:
    access = access_of(request)
    return access is not None and access.role == Role.OWNER


def _own_locations(request: HttpRequest) -> frozenset[int] | None:
    access = access_of(request)
    return access.location_ids if access else frozenset()


def _is_within_own_locations(request: HttpRequest, member: Membership) -> bool:
    """Whether the member works nowhere but where the asking one does; one's own limits are for others to change."""
    own = _own_locations(request)
    if own is None:
        return True
    limits = {location.pk for location in member.locations.all()}
    return bool(limits) and limits <= own and member.user_id != request.user.pk
