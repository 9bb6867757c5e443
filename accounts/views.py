"""Pages of accounts outside the admin."""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.views import PasswordResetView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from accounts.client_addresses import client_address
from accounts.forms import ForgottenPasswordForm
from accounts.middleware import ENTERED_KEY, SESSION_KEY
from accounts.queries import Seat
from accounts.throttling import count_asking

HOUR = 3600
LINKS_PER_HOUR = 3
QUESTIONS_PER_MINUTE = 30


@require_POST
@login_required
def switch_organization(request: HttpRequest) -> HttpResponse:
    """Work in another of one's organizations from now on; the switch is in that organization's audit log."""
    seats: list[Seat] = request.seats  # type: ignore[attr-defined]  # set by OrganizationMiddleware
    wanted = request.POST.get("organization", "")
    seat = next((item for item in seats if str(item.organization_id) == wanted), None)
    if seat is None:
        raise PermissionDenied
    request.session[SESSION_KEY] = seat.organization_id
    request.session[ENTERED_KEY] = True
    return redirect("crm:today")


@require_GET
@never_cache
def show_session(request: HttpRequest) -> JsonResponse:
    """Tell a page that stands open who is logged in by now, and the token that its forms need."""
    return JsonResponse({"user": request.user.pk, "token": get_token(request)})


class ForgottenPasswordView(PasswordResetView):
    """Mails a link to choose a password; nobody can have an address flooded with them."""

    form_class = ForgottenPasswordForm
    email_template_name = "registration/password_reset_email.txt"
    subject_template_name = "registration/password_reset_subject.txt"

    def form_valid(self, form: PasswordResetForm) -> HttpResponse:
        if count_asking(f"forgotten-by:{client_address(self.request)}")[0] > QUESTIONS_PER_MINUTE:
            form.add_error("email", _("Too many links were asked for from here. Try again in a minute."))
            return self.form_invalid(form)
        if count_asking(f"forgotten-of:{form.cleaned_data['email']}", window=HOUR)[0] > LINKS_PER_HOUR:
            return redirect(self.get_success_url())  # the answer never tells what became of the question
        return super().form_valid(form)


def show_lock_out(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Say for how long logging in is paused, and what to do meanwhile (called by axes)."""
    return render(request, "registration/locked_out.html", {"minutes": round(settings.AXES_COOLOFF_TIME * 60)}, status=429)
