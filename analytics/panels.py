"""Insights in the navigation (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import Group, NavigationItem, register_navigation

register_navigation(NavigationItem(Group.INSIGHTS, _("Overview"), "analytics:overview", "monitoring", Permission.INSIGHTS_VIEW, 0))
