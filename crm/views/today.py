from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.permissions import Permission, requires


@requires(Permission.CUSTOMERS_VIEW)
def show_today(request: HttpRequest) -> HttpResponse:
    """What is on today."""
    return render(request, "crm/today.html", {"title": _("Today")})
