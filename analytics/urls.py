"""Addresses of insights."""

from django.urls import path

from analytics import views

app_name = "analytics"
urlpatterns = [path("", views.show_overview, name="overview")]
