from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from accounts.permissions import Permission, requires


@requires(Permission.CUSTOMERS_VIEW)
def list_customers(request: HttpRequest) -> HttpResponse:
    """Find a customer."""
    return render(request, "crm/customers.html", {"title": _("Customers")})
