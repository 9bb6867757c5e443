"""Addresses of accounts outside the admin."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("session/", views.show_session, name="session"),
    path("organization/", views.switch_organization, name="switch_organization"),
]
