#!/usr/bin/env python
"""Django's command line. DJANGO_SETTINGS_MODULE chooses the profile; without it, the embedded one."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.embedded")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)
