"""The client behind `manage.py dbshell`: with a CA's certificate alone it encrypts, and takes a certificate of any host."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.backends.mysql import client


class DatabaseClient(client.DatabaseClient):
    """See the module. MariaDB's client has one option for it and MySQL's another; `loose`: each lets the other's pass with a warning."""

    @classmethod
    def settings_to_cmd_args_env(cls, settings_dict: dict[str, Any], parameters: Iterable[str]) -> tuple[list[str], dict[str, str] | None]:
        (program, *arguments), env = super().settings_to_cmd_args_env(settings_dict, parameters)
        verified = ["--loose-ssl-verify-server-cert", "--loose-ssl-mode=VERIFY_IDENTITY"] if "ssl" in settings_dict["OPTIONS"] else []
        return [program, *verified, *arguments], env
