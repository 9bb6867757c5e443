"""Every address of the product."""

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path

from config.health import live, ready

admin.autodiscover()

urlpatterns: list[URLPattern | URLResolver] = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("admin/messaging/messagetemplate/", include("messaging.urls")),
    path("admin/", admin.site.urls),
    path("api/", include("config.api")),
    path("health/live", live, name="health-live"),
    path("health/ready", ready, name="health-ready"),
    path("accounts/", include("accounts.urls")),
    path("password/", include("accounts.password_urls")),
    path("t/m/", include("loyalty.public_urls")),
    path("t/", include("messaging.tracking.urls")),
    path("segments/", include("segmentation.urls")),
    path("campaigns/", include("campaigns.urls")),
    path("loyalty/", include("loyalty.urls")),
    path("insights/", include("analytics.urls")),
    path("", include("crm.urls")),
]

handler500 = "config.api.server_error"
