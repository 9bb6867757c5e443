"""Pages of templates: what a customer would get, and a test of it."""

from dataclasses import dataclass
from urllib.parse import urlencode

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from accounts.permissions import Permission, access_of, requires
from accounts.queries import current_organization
from crm.models import Customer, Purpose
from crm.queries.search import find_customers
from messaging.actions.templates import source_of
from messaging.content.problems import MessageRejectedError, RenderError
from messaging.models import MessageTemplate, SenderAccount, TemplateVersion
from messaging.previews import Preview, preview_message, template_problems
from messaging.trial_messages import Trial, TrialError, send_trial

MAX_TEST_ADDRESSES = 5
# The body is somebody's HTML: no script, no form, nothing but pictures and its own styles.
_BODY_POLICY = {
    "default-src": ["'none'"],
    "img-src": ["https:", "http:", "data:"],
    "style-src": ["'unsafe-inline'"],
    "frame-ancestors": ["'self'"],
    "sandbox": True,
}


@dataclass(frozen=True, slots=True)
class _Shown:
    """One version as one customer would get it, or why they would not."""

    template: MessageTemplate
    version: TemplateVersion | None
    customer: Customer | None
    wanted: str
    preview: Preview | None = None
    failure: str = ""

    @property
    def query(self) -> str:
        """What the address of the page says of it."""
        return urlencode({"customer": self.wanted, "version": self.version.number if self.version else ""})


@require_safe
@requires(Permission.TEMPLATES_VIEW)
def template_preview(request: HttpRequest, pk: int) -> HttpResponse:
    """The newest version (or the one asked for) as a customer would get it, with what is wrong with it."""
    return _preview_page(request, _show(pk, request.GET))


@require_safe
@requires(Permission.TEMPLATES_VIEW)
@xframe_options_sameorigin
def template_body(request: HttpRequest, pk: int) -> HttpResponse:
    """The HTML of the preview, for the frame in the page."""
    shown = _show(pk, request.GET)
    response = HttpResponse(shown.preview.html if shown.preview else "")
    # Not the shell's policy, nor what it adds for its own script.
    response._csp_config, response._csp_update = _BODY_POLICY, {}  # type: ignore[attr-defined]  # read by csp.middleware
    return response


@requires(Permission.TEMPLATES_CHANGE)
def send_template_test(request: HttpRequest, pk: int) -> HttpResponse:
    """Send what the page shows to a few addresses; what is refused stays typed."""
    if request.method != "POST":  # the address of a refused test, opened anew
        return redirect("messaging:template_preview", pk=pk)
    shown = _show(pk, request.POST)
    chosen = _number(request.POST.get("sender", ""))
    sender = SenderAccount.objects.filter(pk=chosen, is_active=True).first() if chosen else None
    addresses = request.POST.get("addresses", "").replace(",", " ").split()
    refusal = _refusal(shown, sender, addresses)
    if refusal or sender is None or shown.version is None:
        messages.error(request, refusal)
        return _preview_page(request, shown)
    try:
        trial = send_trial(
            source=source_of(shown.version),
            account=sender,
            addresses=addresses,
            customer=shown.customer,
            now=timezone.now(),
            unsubscribable=shown.template.purpose != Purpose.TRANSACTIONAL,
        )
    except (MessageRejectedError, RenderError, TrialError) as error:
        messages.error(request, _("The test was not sent: %(reason)s") % {"reason": error})
        return _preview_page(request, shown)
    _tell_trial(request, trial)
    return redirect(f"{reverse('messaging:template_preview', args=[pk])}?{shown.query}")


def _preview_page(request: HttpRequest, shown: _Shown) -> HttpResponse:
    access = access_of(request)
    context = {
        "title": shown.template.name,
        "shown": shown,
        "problems": template_problems(shown.template, shown.version),
        "versions": shown.template.versions.order_by("-number").only("pk", "number"),
        "senders": SenderAccount.objects.filter(channel=shown.template.channel, is_active=True).only("pk", "name", "from_email"),
        "addresses": request.POST.get("addresses", request.user.email),  # type: ignore[union-attr]  # nobody anonymous has the permission
        "chosen_sender": _number(request.POST.get("sender", "")),
        "may_change": access is not None and access.allows(Permission.TEMPLATES_CHANGE),
    }
    return render(request, "messaging/template_preview.html", context)


def _tell_trial(request: HttpRequest, trial: Trial) -> None:
    words = ngettext("The test is on its way to %(count)s address.", "The test is on its way to %(count)s addresses.", len(trial.sent))
    messages.success(request, words % {"count": len(trial.sent)})
    for address, reason in trial.refused.items():
        messages.warning(request, _("The mail server did not take it for %(address)s: %(reason)s") % {"address": address, "reason": reason})


def _show(pk: int, given: QueryDict) -> _Shown:
    template = get_object_or_404(MessageTemplate, pk=pk)
    number = _number(given.get("version", ""))
    versions = template.versions.order_by("-number")
    version = (versions.filter(number=number).first() if number else None) or versions.first()
    wanted = given.get("customer", "").strip()
    customer = _find_customer(wanted)
    if version is None:
        return _Shown(template, None, customer, wanted, failure=_("The template says nothing yet."))
    try:
        preview = preview_message(
            source=source_of(version),
            now=timezone.now(),
            customer_id=customer.pk if customer else None,
            account=SenderAccount.objects.filter(channel=template.channel, is_active=True).first(),
        )
    except (MessageRejectedError, RenderError) as error:
        reason = error.detail if isinstance(error, RenderError) else str(error)
        failure = _("The message cannot be made for this person, and would not be sent: %(reason)s") % {"reason": reason}
        return _Shown(template, version, customer, wanted, failure=failure)
    return _Shown(template, version, customer, wanted, preview)


def _find_customer(wanted: str) -> Customer | None:
    if not wanted:
        return None
    exact = Customer.objects.filter(external_id=wanted).first()
    return exact or find_customers(wanted, region=current_organization().region).first()


def _refusal(shown: _Shown, sender: SenderAccount | None, addresses: list[str]) -> str:
    if shown.version is None:
        return shown.failure
    if sender is None:
        return _("Choose a sender.")
    if not 1 <= len(addresses) <= MAX_TEST_ADDRESSES:
        return _("Name one to %(limit)s addresses.") % {"limit": MAX_TEST_ADDRESSES}
    for address in addresses:
        try:
            validate_email(address)
        except ValidationError:
            return _("“%(address)s” is no e-mail address.") % {"address": address}
    return ""


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
