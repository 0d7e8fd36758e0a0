"""The Celery application; tasks are found in the apps' `tasks` modules, the beat schedule is in settings."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")

app = Celery("openlance")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
