from django.contrib.admin.apps import AdminConfig


class RegularsAdminConfig(AdminConfig):
    """django.contrib.admin with our site in the place of its default one."""

    default_site = "accounts.admin_site.RegularsSite"
