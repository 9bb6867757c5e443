"""The platform's own tables, for platform administrators: users, scheduled tasks, refused logins."""

from typing import Any

import axes.admin  # registers first, so that ours can take its place
import django_celery_beat.admin as beat_admin
from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django import forms
from django.contrib import admin, messages
from django.contrib.auth import admin as auth_admin  # registers itself first, as the others do
from django.contrib.auth.models import Group
from django.db.models import Model
from django.http import HttpRequest
from django.utils.translation import gettext
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.actions import change_user
from accounts.admin_site import PlatformModelAdmin
from accounts.audit import Actor
from accounts.invitations import mail_password_link
from accounts.models import User
from accounts.models.audit import ActorKind


class UserForm(forms.ModelForm[User]):
    """An address is one whatever case it is typed in."""

    class Meta:
        model = User
        fields = ("email", "name", "language", "is_active", "is_superuser")

    def clean_email(self) -> str:
        return str(self.cleaned_data["email"]).strip().lower()


@admin.register(User)
class UserAdmin(PlatformModelAdmin):
    """Everyone who can log in, in whatever organization; passwords are chosen by links, never typed here."""

    list_display = ("email", "name", "is_active", "is_superuser", "last_login", "created_at")
    list_filter = ("is_active", "is_superuser")
    search_fields = ("email__istartswith", "name__istartswith")
    form = UserForm
    fields = UserForm.Meta.fields

    def save_model(self, request: HttpRequest, obj: Any, form: forms.Form, change: bool) -> None:
        if change:
            before = {name: form.initial.get(name) for name in form.changed_data}
            after = {name: getattr(obj, name) for name in form.changed_data}
            change_user(user=obj, before=before, after=after, actor=_platform_administrator(request))
        else:
            obj.set_unusable_password()
            obj.save()
            mail_password_link(request, obj)
            messages.info(request, gettext("A link to choose a password goes to {user} by mail.").format(user=obj.email))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        # Memberships and audit entries name users; closing an account is what is_active is for.
        return False


def _platform_administrator(request: HttpRequest) -> Actor:
    return Actor(ActorKind.USER, request.user.pk, str(request.user))


# Django's groups are not used: roles come from memberships (accounts.permissions).
for model in (
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    ClockedSchedule,
    SolarSchedule,
    AccessAttempt,
    AccessFailureLog,
    AccessLog,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class _TaskSelect(UnfoldAdminSelectWidget, beat_admin.TaskSelectWidget):
    """The tasks that workers know, in Unfold's dress."""


class PeriodicTaskForm(beat_admin.PeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = _TaskSelect()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(PlatformModelAdmin, beat_admin.PeriodicTaskAdmin):
    """What runs when."""

    form = PeriodicTaskForm


@admin.register(IntervalSchedule, CrontabSchedule, ClockedSchedule, SolarSchedule)
class ScheduleAdmin(PlatformModelAdmin):
    """The rhythms that scheduled tasks choose from."""


class _ReadOnly(PlatformModelAdmin):
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


@admin.register(AccessAttempt)
class AccessAttemptAdmin(_ReadOnly):
    """Refused logins that count towards a lock-out; deleting one forgives it."""

    list_display = ("attempt_time", "ip_address", "username", "failures_since_start", "user_agent")
    search_fields = ("ip_address", "username")


@admin.register(AccessLog, AccessFailureLog)
class AccessLogAdmin(_ReadOnly):
    """Logins as they happened."""

    list_display = ("attempt_time", "ip_address", "username", "user_agent")
    search_fields = ("ip_address", "username")

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False


__all__ = ["AccessAttemptAdmin", "PeriodicTaskAdmin", "ScheduleAdmin", "UserAdmin", "auth_admin", "axes"]
