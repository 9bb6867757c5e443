"""Addresses of the pages of loyalty."""

from django.urls import path

from loyalty.views import cards, counter, member

app_name = "loyalty"
urlpatterns = [
    path("", member.list_members, name="members"),
    path("points/", counter.find_member, name="points"),
    path("customers/<int:pk>/", member.customer_panel, name="customer_panel"),
    path("customers/<int:pk>/enrol/", counter.enrol, name="enrol"),
    path("members/<int:pk>/", member.show_member, name="member"),
    path("members/<int:pk>/card/", cards.show_card, name="card"),
    path("members/<int:pk>/give/", counter.give, name="give"),
    path("members/<int:pk>/take/", counter.take, name="take"),
    path("members/<int:pk>/redeem/", counter.redeem, name="redeem"),
    path("members/<int:pk>/undo/<int:entry>/", counter.undo, name="undo"),
]
