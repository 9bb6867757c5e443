"""Addresses of accounts outside the admin."""

from django.urls import path

from accounts import views

app_name = "accounts"
urlpatterns = [
    path("organization/", views.switch_organization, name="switch_organization"),
]
