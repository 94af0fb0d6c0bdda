"""The Celery application. Workers are woken by it; Postgres holds the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")

app = Celery("hoopweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
