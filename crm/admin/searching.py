from typing import Any

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.queries import current_organization
from crm.queries.search import find_customers


class CustomerSearchMixin:
    """Searches rows by their customer, in the words one would type on the customers page, or by an exact value of their own."""

    search_fields = ("customer__search_key",)  # makes Django show the box
    search_help_text = _("The beginning of a customer's name, phone number or e-mail address")
    customer_lookup = "customer"
    own_exact: tuple[str, ...] = ()

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> tuple[QuerySet[Any], bool]:
        text = search_term.strip()
        if not text:
            return queryset, False
        found = find_customers(text, region=current_organization().region, at_most=None)
        wanted = Q(**{f"{self.customer_lookup}__in": found.order_by().values("pk")})
        for name in self.own_exact:
            wanted |= Q(**{name: text})
        return queryset.filter(wanted), False
