"""The reference of ``track``: a Django of one view that always says the same, without any middleware."""

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpRequest, HttpResponse
from django.urls import re_path

PIXEL = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x01D\x00;"


def constant(request: HttpRequest) -> HttpResponse:
    """The same picture for everybody, kept nowhere."""
    return HttpResponse(PIXEL, content_type="image/gif")


urlpatterns = [re_path("", constant)]

settings.configure(SECRET_KEY="none", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, MIDDLEWARE=[], DEBUG=False)
django.setup()
application = WSGIHandler()
