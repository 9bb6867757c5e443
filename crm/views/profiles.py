"""Creating and changing a customer's profile and consents."""

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.forms import add_refusal
from accounts.permissions import Permission, requires
from crm.actions import check_customer, create_customer, set_consent, update_customer
from crm.forms.consent import ConsentForm
from crm.forms.customer import CustomerForm
from crm.models import Channel, ConsentState, Purpose
from crm.views.asking import asking, customer_or_404


@requires(Permission.CUSTOMERS_CHANGE)
def new_customer(request: HttpRequest) -> HttpResponse:
    """Write down a new customer."""
    form = CustomerForm(request.POST or None, initial=_typed_before(request))
    if form.is_bound:
        try:
            if form.is_valid():
                customer = create_customer(actor=asking(request).actor, now=timezone.now(), **form.changed_values(None))
                messages.success(request, _("%(name)s is now a customer.") % {"name": customer})
                return redirect("crm:customer", pk=customer.pk)
            check_customer(now=timezone.now(), **form.changed_values(None))
        except ValidationError as error:
            add_refusal(form, error)
    return render(request, "crm/customer_form.html", {"title": _("New customer"), "form": form})


@requires(Permission.CUSTOMERS_CHANGE)
def edit_customer(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a customer's profile."""
    # Who saves at the same time waits, and is compared with what the first one wrote.
    customer = customer_or_404(pk, lock=request.method == "POST")
    form = CustomerForm(request.POST or None, customer=customer)
    if form.is_bound:
        try:
            if form.is_valid():
                update_customer(customer=customer, actor=asking(request).actor, now=timezone.now(), **form.changed_values(customer))
                messages.success(request, _("The profile was saved."))
                return redirect("crm:customer", pk=customer.pk)
            check_customer(customer=customer, now=timezone.now(), **form.changed_values(customer))
        except ValidationError as error:
            add_refusal(form, error)
    title = _("Edit %(name)s") % {"name": customer}
    return render(request, "crm/customer_form.html", {"title": title, "form": form, "customer": customer})


@requires(Permission.CONSENT_CHANGE)
def change_consent(request: HttpRequest, pk: int) -> HttpResponse:
    """Record what a customer said about being written to."""
    customer = customer_or_404(pk)
    form = ConsentForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        data, access = form.cleaned_data, asking(request)
        set_consent(
            customer=customer,
            channel=Channel(data["channel"]),
            purpose=Purpose(data["purpose"]),
            state=ConsentState(data["state"]),
            source="page",
            now=timezone.now(),
            actor=access.actor,
            proof={"how": data["how"], "words": data["words"], "told": access.actor.label},
        )
        messages.success(request, _("Recorded, with its proof."))
        return redirect("crm:customer", pk=customer.pk)
    title = _("Consent of %(name)s") % {"name": customer}
    return render(request, "crm/consent_form.html", {"title": title, "form": form, "customer": customer})


def _typed_before(request: HttpRequest) -> dict[str, str]:
    """What was searched for in vain becomes the first field of the new customer."""
    text = request.GET.get("typed", "").strip()[:100]
    if "@" in text:
        return {"email": text}
    if any(char.isdigit() for char in text):
        return {"phone": text}
    first, _space, last = text.partition(" ")
    return {"first_name": first, "last_name": last}
