"""One's own keys and sessions."""

from __future__ import annotations

from typing import Any

from allauth.usersessions.models import UserSession
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import api_tokens, sessions
from marketplace.accounts.authentication import actor_of
from marketplace.accounts.models import ApiToken
from marketplace.accounts.scopes import SCOPES
from marketplace.core.api.fields import WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer


def session_key_of(request: Request) -> str | None:
    """The key of the session that the request came in, as the door found it."""
    return getattr(request._request, "session_key", None)


class ApiTokenOut(ModelSerializer):
    """A key of a program of yours, without its secret."""

    class Meta:
        model = ApiToken
        fields = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at")

    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(SCOPES)))


class ApiTokenMade(ApiTokenOut):
    """A new key. Its secret is told in this answer and never again."""

    class Meta(ApiTokenOut.Meta):
        fields = (*ApiTokenOut.Meta.fields, "token")  # type: ignore[assignment]

    token = serializers.CharField(
        allow_null=True,
        help_text="Send it as `Authorization: Bearer …`. Null when the request was a repetition: revoke it and make another.",
    )


class ApiTokenIn(Serializer):
    name = serializers.CharField(max_length=80, help_text="What it is for.")
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=list(SCOPES)),
        min_length=1,
        max_length=len(SCOPES) * 2,
        help_text="; ".join(f"{name}: {words}" for name, words in SCOPES.items()),
    )
    days = WholeNumber(min_value=1, max_value=365, required=False, allow_null=True, help_text="How long it lives; 90 unless you say.")


EXAMPLE_TOKEN = {
    "id": 7,
    "name": "Time tracker",
    "prefix": "olp_Zk3mQ9xa",
    "scopes": ["read", "write"],
    "created_at": "2026-03-02T09:00:00Z",
    "expires_at": "2026-04-01T09:00:00Z",
    "last_used_at": None,
}


class ApiTokensView(IdempotentMixin, ListAPIView):
    """The keys of one's own programs that can still be used."""

    permission_classes = [IsAuthenticated]
    pace = {"POST": "token"}
    serializer_class = ApiTokenOut
    pagination_class = KeysetPagination
    queryset = ApiToken.objects.none()
    told_once = ("token",)

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return api_tokens.tokens_of(actor_of(self.request))

    @extend_schema(operation_id="me_tokens_list", tags=["accounts"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="me_token_create",
        tags=["accounts"],
        request=ApiTokenIn,
        responses={201: ApiTokenMade},
        examples=[
            OpenApiExample(
                "For a time tracker", request_only=True, value={"name": "Time tracker", "scopes": ["read", "write"], "days": 30}
            ),
            OpenApiExample(
                "The secret, once",
                response_only=True,
                status_codes=["201"],
                value={**EXAMPLE_TOKEN, "token": "olp_Zk3mQ9xa…"},
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        given = ApiTokenIn(data=request.data)
        given.is_valid(raise_exception=True)
        token, secret = api_tokens.token_create(actor=actor_of(request), **given.validated_data)
        return Response({**ApiTokenOut(token).data, "token": secret}, status=201)


class ApiTokenView(IdempotentMixin, APIView):
    """One of one's own keys."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_token_revoke", tags=["accounts"], responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        api_tokens.token_revoke(actor=actor_of(request), token_id=token_id)
        return Response(status=204)


class SessionOut(ModelSerializer):
    """A place where you are signed in."""

    class Meta:
        model = UserSession
        fields = ("id", "device", "user_agent", "ip", "created_at", "last_seen_at", "current")

    device = serializers.SerializerMethodField(help_text="Such as “Firefox on Linux”.")
    current = serializers.SerializerMethodField(help_text="Whether this request came from it.")

    def get_device(self, session: UserSession) -> str:
        return sessions.device_of(session.user_agent)

    def get_current(self, session: UserSession) -> bool:
        return bool(session.session_key == session_key_of(self.context["request"]))


class SessionsView(ListAPIView):
    """Where one is signed in, newest sign-in first."""

    permission_classes = [IsAuthenticated]
    serializer_class = SessionOut
    pagination_class = KeysetPagination
    queryset = UserSession.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return sessions.sessions_of(actor_of(self.request))

    @extend_schema(operation_id="me_sessions_list", tags=["accounts"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)


class SessionView(IdempotentMixin, APIView):
    """One of one's own sessions."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_session_end", tags=["accounts"], responses={204: None})
    def delete(self, request: Request, session_id: int) -> Response:
        sessions.session_end(actor=actor_of(request), session_id=session_id)
        return Response(status=204)


class SessionsEnd(Serializer):
    keep_current = serializers.BooleanField(default=True, help_text="False signs you out here too.")
    with_tokens = serializers.BooleanField(default=False, help_text="Also revoke the API tokens of your programs.")


class SessionsEnded(Serializer):
    ended = serializers.IntegerField(help_text="How many sessions.")


class SessionsEndView(IdempotentMixin, APIView):
    """Sign out elsewhere, or everywhere. The dashboards' sign-ins end with it."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="me_sessions_end",
        tags=["accounts"],
        request=SessionsEnd,
        responses=SessionsEnded,
        examples=[
            OpenApiExample("Everywhere else", request_only=True, value={"keep_current": True}),
            OpenApiExample("Everywhere, programs too", request_only=True, value={"keep_current": False, "with_tokens": True}),
            OpenApiExample("Three sessions ended", response_only=True, value={"ended": 3}),
        ],
    )
    def post(self, request: Request) -> Response:
        given = SessionsEnd(data=request.data)
        given.is_valid(raise_exception=True)
        but = session_key_of(request) if given.validated_data["keep_current"] else None
        ended = sessions.sessions_end(actor=actor_of(request), but=but, with_tokens=given.validated_data["with_tokens"])
        return Response({"ended": ended})
