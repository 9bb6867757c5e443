"""Where a member's friends join; their right to be here is the link they were given."""

from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from accounts.client_addresses import client_address
from accounts.forms import add_refusal
from accounts.public_pages import asked_language, known_language, render_not_found, render_public
from accounts.queries import current_organization
from accounts.tenancy import tenant
from accounts.throttling import count_asking
from loyalty.actions.joining import join_as_friend
from loyalty.forms.referrals import JoinForm
from loyalty.links import read_join_token
from loyalty.models import Program, ReferralCode
from loyalty.queries.programs import terms_in_force
from loyalty.queries.referrals import referral_code
from loyalty.referring import device_of
from loyalty.rules.terms import EarnOn

PER_MINUTE = 30
TOO_MANY = 429


@csrf_exempt  # the token is the whole authority, so there is no session to forge a request of
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def join(request: HttpRequest, token: str) -> HttpResponse:
    """Become a member by a friend's link; the answer is the same for those who are known here and those who are not."""
    if count_asking(f"join:{client_address(request)}")[0] > PER_MINUTE:
        return render_not_found(request, TOO_MANY)
    ref = read_join_token(token)
    if ref is None:
        return render_not_found(request)
    with tenant(ref.organization_id):
        code = referral_code(ref.code)
        if code is None or not code.is_open:
            return render_not_found(request)
        organization = current_organization()
        language = known_language(asked_language(request), organization.language)
        with override(language), timezone.override(ZoneInfo(organization.time_zone)):
            return _page(request, code, token, language)


def _page(request: HttpRequest, code: ReferralCode, token: str, language: str) -> HttpResponse:
    form, program = JoinForm(request.POST or None), code.member.program
    joined = request.method == "POST" and form.is_valid() and _join(request, form, code.code, language)
    context = {
        "organization": current_organization(),
        "program": program,
        "code": code.code,
        "form": form,
        "joined": joined,
        "token": token,
        "points": _points_for_joining(program),
    }
    return render_public(request, "loyalty/join.html", context, language)


def _join(request: HttpRequest, form: JoinForm, code: str, language: str) -> bool:
    try:
        join_as_friend(
            code=code,
            identity=form.identity,
            channels=form.channels,
            language=language,
            proof={"page": request.path, "words": str(form.fields["wants_messages"].label), "address": client_address(request)},
            device=device_of(request),
            now=timezone.now(),
        )
    except ValidationError as error:
        add_refusal(form, error)
        return False
    return True


def _points_for_joining(program: Program) -> int:
    version = terms_in_force(program.pk, timezone.now())
    return max((rule.referee_points for rule in version.terms.earn if rule.on == EarnOn.REFERRAL), default=0) if version else 0
