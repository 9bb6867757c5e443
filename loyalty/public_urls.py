"""Addresses of members' own pages."""

from django.urls import path

from loyalty.views import public

urlpatterns = [
    path("<str:token>", public.show_own_page, name="member_page"),
    path("<str:token>/card", public.show_own_card, name="member_card"),
]
