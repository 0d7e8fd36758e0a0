"""REST under WSGI (gunicorn threads) in the services and production profiles."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.services")
application = get_wsgi_application()
