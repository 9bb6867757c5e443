from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from accounts.permissions import Permission, requires
from accounts.queries import current_organization
from loyalty.cards import card_of
from loyalty.queries.members import members
from loyalty.queries.programs import TermsBook


@require_safe
@requires(Permission.LOYALTY_VIEW)
def show_card(request: HttpRequest, pk: int) -> HttpResponse:
    """A member's card, to be printed at the counter."""
    member, organization = get_object_or_404(members(), pk=pk), current_organization()
    tier = TermsBook().tier_name(member.program_id, member.tier, timezone.now())
    context = {"title": str(member.customer), "member": member, "card": card_of(member, organization, tier=tier)}
    return render(request, "loyalty/print_card.html", context)
