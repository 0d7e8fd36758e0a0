"""REST under WSGI (gunicorn threads) in the services and production profiles."""

import gc
import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.services")
application = get_wsgi_application()
# What is loaded by now stays for as long as the process does: the collector need not walk it again in the middle of a request. Rows are freed
# by their reference counts; cycles are looked for each 10,000 objects instead of each 700.
gc.collect()
gc.freeze()
gc.set_threshold(10_000, 20, 20)
