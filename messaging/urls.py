"""Addresses of messaging's pages; what stands in messages is ``messaging.tracking.urls``."""

from django.urls import path

from messaging import views

app_name = "messaging"
urlpatterns = [
    path("templates/<int:pk>/preview/", views.template_preview, name="template_preview"),
    path("templates/<int:pk>/preview/body/", views.template_body, name="template_body"),
    path("templates/<int:pk>/test/", views.send_template_test, name="template_test"),
]
