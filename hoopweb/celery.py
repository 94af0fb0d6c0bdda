"""The Celery application. Workers are woken by it; Postgres holds the truth."""

import os

from celery import Celery
from kombu.transport.redis import Channel

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")

app = Celery("hoopweb")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# A message is only a wake-up call, and the sweep repeats what is lost. Putting unread messages
# back on a broker that has just gone away would end the worker instead of letting it reconnect.
Channel.do_restore = False
