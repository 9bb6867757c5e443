"""The WSGI entry that granian (or another server) serves."""

import gc
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

django_application = get_wsgi_application()

from config.page_threads import FewThreads  # noqa: E402
from messaging.tracking.front import TrackingFront  # noqa: E402 - needs the settings that are loaded above

# Opens and clicks are answered before Django's middleware: they are many, and need none of it.
application = TrackingFront(FewThreads(django_application, settings.WEB_PAGE_THREADS))

# Every address is read now, not while somebody waits for the first answer. What is here stays for good: a full collection
# that looked through it again would hold up everybody for a tenth of a second.
_ = get_resolver().url_patterns
gc.collect()
gc.freeze()
