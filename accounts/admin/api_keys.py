from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from accounts.actions import create_api_key, revoke_api_key
from accounts.admin_site import TenantModelAdmin, actor_of
from accounts.audit import Actor
from accounts.forms import TenantModelForm
from accounts.models import ApiKey, User
from accounts.permissions import API_SCOPES, Permission


class ApiKeyForm(TenantModelForm):
    """What a key is called and what it may do."""

    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        widget=forms.CheckboxSelectMultiple,
        choices=[(str(scope), str(scope)) for scope in sorted(API_SCOPES)],
        help_text=_("Give a key only what its program needs."),
    )

    class Meta:
        model = ApiKey
        fields = ("name", "scopes", "expires_at")


@admin.register(ApiKey)
class ApiKeyAdmin(TenantModelAdmin):
    """Keys of programs: the secret is shown once; a key is revoked, never edited."""

    form = ApiKeyForm
    view_permission = add_permission = Permission.API_KEYS_CHANGE
    list_display = ("name", "starts_with", "state", "created_by", "created_at", "last_used_at", "expires_at")
    list_select_related = ("created_by",)
    search_fields = ("name", "prefix")
    actions = ("revoke",)

    @admin.display(description=_("starts with"))
    def starts_with(self, key: ApiKey) -> str:
        return f"{key.prefix}…"

    @admin.display(description=_("state"))
    def state(self, key: ApiKey) -> str:
        if key.revoked_at:
            return str(_("revoked"))
        return str(_("expired") if key.expires_at and key.expires_at <= timezone.now() else _("works"))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        shown = ("prefix", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at")
        return ("name", "scopes", *shown) if obj else ("name", "scopes", "expires_at")

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        user = request.user if isinstance(request.user, User) else None
        data = form.cleaned_data
        scopes = [Permission(scope) for scope in data["scopes"]]
        key, secret = create_api_key(
            name=data["name"],
            scopes=scopes,
            expires_at=data["expires_at"],
            created_by=user,
            actor=actor_of(request),
        )
        obj.pk, obj._state.adding, obj.prefix = key.pk, False, key.prefix
        request.secret = secret  # type: ignore[attr-defined]  # shown by response_add, kept nowhere

    def create_record(self, obj: Any, *, form: forms.Form, actor: Actor) -> models.Model:
        raise NotImplementedError("save_model creates keys, because it has to hand on the secret")

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """Show the secret in this answer alone: a message would be stored in a cookie."""
        context = {
            **self.admin_site.each_context(request),
            "title": _("The new key"),
            "opts": self.opts,
            "key": obj,
            "secret": request.secret,  # type: ignore[attr-defined]  # set by save_model
        }
        response = TemplateResponse(request, "admin/accounts/apikey/created.html", context)
        response["Cache-Control"] = "no-store"
        return response

    @admin.action(description=_("Revoke the chosen keys"), permissions=["add"])
    def revoke(self, request: HttpRequest, queryset: QuerySet[ApiKey]) -> None:
        keys = list(queryset.filter(revoked_at=None))
        for key in keys:
            revoke_api_key(key=key, now=timezone.now(), actor=actor_of(request))
        words = ngettext("%(count)s key was revoked.", "%(count)s keys were revoked.", len(keys))
        messages.success(request, words % {"count": len(keys)})
