"""Addresses of members' own pages, and of the page by which their friends join."""

from django.urls import path

from loyalty.views import joining, public

urlpatterns = [
    path("join/<str:token>", joining.join, name="join"),
    path("<str:token>", public.show_own_page, name="member_page"),
    path("<str:token>/card", public.show_own_card, name="member_card"),
    path("<str:token>/code", public.make_own_code, name="member_code"),
]
