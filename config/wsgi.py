"""The WSGI entry that granian (or another server) serves."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_wsgi_application()

from messaging.tracking.front import TrackingFront  # noqa: E402 - needs the settings that the line above loads

# Opens and clicks are answered before Django's middleware: they are many, and need none of it.
application = TrackingFront(django_application)
