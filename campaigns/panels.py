"""Campaigns in the navigation, and messages on the customer's page (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import CustomerPanel, Group, NavigationItem, TodayPanel, register_navigation, register_panel, register_today_panel

register_navigation(NavigationItem(Group.CAMPAIGNS, _("Campaigns"), "campaigns:list", "campaign", Permission.CAMPAIGNS_VIEW, 0))
register_panel(CustomerPanel(_("Messages"), "campaigns:customer_panel", Permission.MESSAGES_VIEW, 10))
register_today_panel(TodayPanel(_("Campaigns under way"), "campaigns:running", Permission.CAMPAIGNS_VIEW, 20))
