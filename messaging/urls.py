"""Pages of a template, beside its records in the admin; what stands in messages is ``messaging.tracking.urls``."""

from django.urls import path

from messaging import views

app_name = "messaging"
urlpatterns = [
    path("<int:pk>/preview/", views.template_preview, name="template_preview"),
    path("<int:pk>/preview/body/", views.template_body, name="template_body"),
    path("<int:pk>/test/", views.send_template_test, name="template_test"),
]
