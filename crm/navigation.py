"""The pages of customers, and of the organization's settings, in the navigation (imported by ``CrmConfig.ready``)."""

from django.utils.translation import gettext_lazy as _

from accounts.permissions import Permission
from crm.panels import Group, NavigationItem, PhoneJob, register_navigation, register_phone_job

register_navigation(
    NavigationItem(Group.TODAY, _("Today"), "crm:today", "today", Permission.CUSTOMERS_VIEW),
    NavigationItem(Group.CUSTOMERS, _("Customers"), "crm:customers", "group", Permission.CUSTOMERS_VIEW, 0),
    NavigationItem(Group.CUSTOMERS, _("Visits"), "crm:visits", "event_available", Permission.VISITS_VIEW, 10),
    NavigationItem(Group.CUSTOMERS, _("Purchases"), "crm:purchases", "receipt_long", Permission.PURCHASES_VIEW, 20),
    NavigationItem(Group.CUSTOMERS, _("Imports"), "crm:imports", "upload_file", Permission.CUSTOMERS_IMPORT, 40),
    NavigationItem(
        Group.SETTINGS,
        _("Organization"),
        "admin:accounts_organization_changelist",
        "storefront",
        Permission.ORGANIZATION_CHANGE,
        0,
    ),
    NavigationItem(Group.SETTINGS, _("Locations"), "admin:accounts_location_changelist", "place", Permission.ORGANIZATION_CHANGE, 10),
    NavigationItem(Group.SETTINGS, _("Members"), "admin:accounts_membership_changelist", "badge", Permission.MEMBERS_CHANGE, 20),
    NavigationItem(
        Group.SETTINGS,
        _("Custom attributes"),
        "admin:crm_attributedefinition_changelist",
        "sell",
        Permission.ORGANIZATION_CHANGE,
        30,
    ),
    NavigationItem(Group.SETTINGS, _("API keys"), "admin:accounts_apikey_changelist", "key", Permission.API_KEYS_CHANGE, 70),
    NavigationItem(Group.SETTINGS, _("Audit log"), "admin:accounts_auditentry_changelist", "history", Permission.AUDIT_VIEW, 80),
    NavigationItem(Group.SETTINGS, _("All records"), "admin:index", "database", Permission.CUSTOMERS_VIEW, 90),
    NavigationItem(Group.PLATFORM, _("Users"), "admin:accounts_user_changelist", "manage_accounts", None, 0),
    NavigationItem(Group.PLATFORM, _("Scheduled tasks"), "admin:django_celery_beat_periodictask_changelist", "schedule", None, 10),
    NavigationItem(Group.PLATFORM, _("Refused logins"), "admin:axes_accessattempt_changelist", "lock", None, 20),
)
register_phone_job(
    PhoneJob(_("Today"), "crm:today", "today", Permission.CUSTOMERS_VIEW, 0),
    PhoneJob(_("Find"), "crm:customers", "person_search", Permission.CUSTOMERS_VIEW, 10),
    PhoneJob(_("Visit"), "crm:choose_for_visit", "event_available", Permission.VISITS_CHANGE, 20),
    PhoneJob(_("Sale"), "crm:choose_for_sale", "point_of_sale", Permission.PURCHASES_CHANGE, 30),
)
