"""Loyalty in the navigation, points on the customer's page and on phones (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import CustomerPanel, Group, NavigationItem, PhoneJob, register_navigation, register_panel, register_phone_job

register_navigation(
    NavigationItem(Group.LOYALTY, _("Loyalty members"), "loyalty:members", "loyalty", Permission.LOYALTY_VIEW, 0),
    NavigationItem(Group.LOYALTY, _("Rewards"), "loyalty:rewards", "redeem", Permission.LOYALTY_VIEW, 10),
    NavigationItem(Group.LOYALTY, _("Stamp cards"), "loyalty:stamp_cards", "approval", Permission.LOYALTY_VIEW, 15),
    NavigationItem(Group.LOYALTY, _("Vouchers"), "loyalty:vouchers", "confirmation_number", Permission.POINTS_CHANGE, 20),
    NavigationItem(Group.LOYALTY, _("Programs"), "loyalty:programs", "military_tech", Permission.LOYALTY_VIEW, 30),
)
register_phone_job(PhoneJob(_("Points"), "loyalty:points", "loyalty", Permission.POINTS_CHANGE, 40))
register_panel(CustomerPanel(_("Points"), "loyalty:customer_panel", Permission.LOYALTY_VIEW, 5))
