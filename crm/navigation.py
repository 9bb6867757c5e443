"""The pages of customers, and of the organization's settings, in the navigation (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission as P
from crm.panels import Group, NavigationItem, PhoneJob, register_navigation, register_phone_job

register_navigation(
    NavigationItem(Group.TODAY, _("Today"), "crm:today", "today", P.CUSTOMERS_VIEW),
    NavigationItem(Group.CUSTOMERS, _("Customers"), "crm:customers", "group", P.CUSTOMERS_VIEW, 0),
)
register_phone_job(
    PhoneJob(_("Find"), "crm:customers", "person_search", P.CUSTOMERS_VIEW, 0),
)
