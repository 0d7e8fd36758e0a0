"""Registers an OpenID client such as the dashboards; run it again to change its addresses or secret."""

from __future__ import annotations

from typing import Any

from allauth.idp.oidc.models import Client
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

SCOPES = ["openid", "profile", "email", "roles"]


class Command(BaseCommand):
    help = "Create or update a confidential OpenID client; its secret is read from OPENLANCE_OIDC_DASHBOARDS_SECRET."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--id", required=True, help="client id, such as dashboards")
        parser.add_argument("--name", default="", help="name that people see (default: the id)")
        parser.add_argument("--redirect-uri", action="append", required=True, help="exact callback address; may be given several times")
        parser.add_argument("--post-logout-uri", action="append", default=[], help="where a logout may lead; may be given several times")

    def handle(self, *args: Any, **options: Any) -> None:
        secret = settings.OIDC_DASHBOARDS_SECRET
        if not secret:
            raise CommandError("Set OPENLANCE_OIDC_DASHBOARDS_SECRET: a client without a secret is not registered.")
        client = Client.objects.filter(pk=options["id"]).first() or Client(pk=options["id"])
        new = client._state.adding
        client.name = options["name"] or options["id"]
        client.type = Client.Type.CONFIDENTIAL
        client.skip_consent = True
        client.set_scopes(SCOPES)
        client.set_default_scopes(SCOPES)
        client.set_grant_types([Client.GrantType.AUTHORIZATION_CODE, Client.GrantType.REFRESH_TOKEN])
        client.set_response_types([Client.ResponseType.CODE])
        client.set_redirect_uris(options["redirect_uri"])
        client.set_post_logout_redirect_uris(options["post_logout_uri"])
        if new or not client.check_secret(secret):
            client.set_secret(secret)
        client.save()
        self.stdout.write(f"{'created' if new else 'updated'} OpenID client {client.pk} → {', '.join(client.get_redirect_uris())}")
