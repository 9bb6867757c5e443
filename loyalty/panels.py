"""Loyalty in the navigation, points on the customer's page and on phones, and its events in words (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import CustomerPanel, Group, NavigationItem, PhoneJob, register_navigation, register_panel, register_phone_job
from crm.timeline import register_event_words

register_navigation(NavigationItem(Group.LOYALTY, _("Loyalty members"), "loyalty:members", "loyalty", Permission.LOYALTY_VIEW, 0))
register_phone_job(PhoneJob(_("Points"), "loyalty:points", "loyalty", Permission.POINTS_CHANGE, 40))
register_panel(CustomerPanel(_("Points"), "loyalty:customer_panel", Permission.LOYALTY_VIEW, 5))
register_event_words(
    {
        "member.joined": (_("Joined a loyalty program"), ""),
        "points.earned": (_("Earned points"), "%(points)s"),
        "points.given": (_("Was given points"), "%(points)s"),
        "points.taken": (_("Points were taken"), "%(points)s"),
        "points.matured": (_("Points became available"), "%(points)s"),
        "points.cancelled": (_("Pending points were cancelled"), "%(points)s"),
        "points.redeemed": (_("Redeemed points"), "%(points)s"),
        "points.restored": (_("A redemption was undone"), "%(points)s"),
        "points.expired": (_("Points expired"), "%(points)s"),
        "points.clawed_back": (_("Points were taken back"), "%(points)s"),
    }
)
