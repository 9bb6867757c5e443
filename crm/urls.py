"""Addresses of the pages of customers."""

from django.urls import path

from crm.views import customers, today

app_name = "crm"
urlpatterns = [
    path("", today.show_today, name="today"),
    path("customers/", customers.list_customers, name="customers"),
]
