"""Addresses of the pages of customers."""

from django.urls import path

from crm.imports import views as imports
from crm.views import customers, profiles, purchases, today, visits

app_name = "crm"
urlpatterns = [
    path("", today.show_today, name="today"),
    path("customers/", customers.list_customers, name="customers"),
    path("customers/new/", profiles.new_customer, name="new_customer"),
    path("customers/download/", customers.download_customers, name="download_customers"),
    path("customers/<int:pk>/", customers.show_customer, name="customer"),
    path("customers/<int:pk>/edit/", profiles.edit_customer, name="edit_customer"),
    path("customers/<int:pk>/consent/", profiles.change_consent, name="change_consent"),
    path("customers/<int:pk>/timeline/", customers.show_timeline, name="timeline"),
    path("customers/<int:pk>/visits/new/", visits.new_visit, name="new_visit"),
    path("customers/<int:pk>/sales/new/", purchases.new_sale, name="new_sale"),
    path("visits/", visits.list_visits, name="visits"),
    path("visits/new/", visits.choose_for_visit, name="choose_for_visit"),
    path("visits/<int:pk>/move/", visits.move_visit, name="move_visit"),
    path("purchases/", purchases.list_purchases, name="purchases"),
    path("purchases/new/", visits.choose_for_sale, name="choose_for_sale"),
    path("purchases/new/anonymous/", purchases.new_sale, name="new_anonymous_sale"),
    path("purchases/<int:pk>/", purchases.show_purchase, name="purchase"),
    path("purchases/<int:pk>/refund/", purchases.refund, name="refund"),
    path("imports/", imports.list_imports, name="imports"),
    path("imports/new/", imports.new_import, name="new_import"),
    path("imports/<int:pk>/", imports.show_import, name="import"),
    path("imports/<int:pk>/columns/", imports.check_columns, name="import_columns"),
    path("imports/<int:pk>/again/", imports.rehearsed_for_real, name="import_for_real"),
    path("imports/<int:pk>/rows.csv", imports.download_findings, name="import_findings"),
]
