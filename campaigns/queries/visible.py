"""What campaigns earned, as far as a member sees it: someone limited to locations sees only what was bought at theirs."""

from django.db.models import QuerySet

from accounts.permissions import Access
from campaigns.models import Attribution


def attributions_for(access: Access | None) -> QuerySet[Attribution]:
    """Purchases and refunds that count for campaigns; all of them where nobody in particular asks."""
    rows = Attribution.objects.order_by()
    return rows if access is None or access.location_ids is None else rows.filter(purchase__location__in=access.location_ids)
