"""Segments in the navigation and on the customer page."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import CustomerPanel, Group, NavigationItem, register_navigation, register_panel

register_navigation(NavigationItem(Group.SEGMENTS, _("Segments"), "segmentation:list", "filter_alt", Permission.SEGMENTS_VIEW))
register_panel(CustomerPanel(_("Segments"), "segmentation:customer_panel", Permission.SEGMENTS_VIEW, order=40))
