"""The Celery application; ``config.beat`` holds what runs when."""

import os
from pathlib import Path

from celery import Celery
from celery.signals import worker_ready

from config.beat import beat_schedule

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = Celery("regulars")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.beat_schedule = beat_schedule()
app.autodiscover_tasks()


@worker_ready.connect
def tell_ready(**_about: object) -> None:
    """Touch the file that whoever started this worker is waiting for."""
    if path := os.environ.get("WORKER_READY_FILE"):
        Path(path).touch()
