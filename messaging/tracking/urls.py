"""Addresses that stand in messages; short, because every message carries several."""

from django.urls import path

from messaging.tracking import views

urlpatterns = [
    path("o/<str:token>", views.track, name="open_pixel"),
    path("c/<str:token>/<str:index>/<str:link>", views.track, name="tracked_link"),
    path("u/<str:token>", views.unsubscribe_page, name="unsubscribe"),
    path("p/<str:token>", views.preferences_page, name="preferences"),
    path("p/<str:token>/confirm", views.confirm_page, name="confirm_preferences"),
]
