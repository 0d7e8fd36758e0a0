"""One's own account, and freelancers as others see them. Signing up and in is allauth's headless API under /_allauth/."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import services
from marketplace.accounts.authentication import actor_of
from marketplace.accounts.selectors import client_for, freelancer_for, user_with_profiles
from marketplace.core.api.idempotency import IdempotentMixin

from .serializers import (
    ClientProfileSerializer,
    ClientSerializer,
    FreelancerProfileChange,
    FreelancerProfileSerializer,
    FreelancerSerializer,
    MeChange,
    MeSerializer,
)


def _checked(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class MeView(IdempotentMixin, APIView):
    """The signed-in person's account."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_read", tags=["accounts"], responses=MeSerializer)
    def get(self, request: Request) -> Response:
        return Response(MeSerializer(user_with_profiles(actor_of(request).pk)).data)

    @extend_schema(operation_id="me_update", tags=["accounts"], request=MeChange, responses=MeSerializer)
    def patch(self, request: Request) -> Response:
        services.me_update(actor=actor_of(request), **_checked(MeChange(data=request.data)))
        return self.get(request)


class ClientProfileView(IdempotentMixin, APIView):
    """The buying side of the signed-in person: after this, jobs can be posted."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="me_client_profile", tags=["accounts"], request=ClientProfileSerializer, responses=ClientProfileSerializer)
    def put(self, request: Request) -> Response:
        profile = services.client_profile_put(actor=actor_of(request), **_checked(ClientProfileSerializer(data=request.data)))
        return Response(ClientProfileSerializer(profile).data)


class FreelancerProfileView(IdempotentMixin, APIView):
    """The selling side of the signed-in person: after this, proposals can be sent."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="me_freelancer_profile",
        tags=["accounts"],
        request=FreelancerProfileSerializer,
        responses=FreelancerProfileSerializer,
        examples=[
            OpenApiExample(
                "A Python developer",
                request_only=True,
                value={
                    "title": "Python developer",
                    "hourly_rate_minor": 4500,
                    "currency": "USD",
                    "category": "web-development",
                    "skills": [{"skill": "python", "level": 5, "years": 8}],
                },
            )
        ],
    )
    def put(self, request: Request) -> Response:
        profile = services.freelancer_profile_put(actor=actor_of(request), **_checked(FreelancerProfileSerializer(data=request.data)))
        return Response(FreelancerProfileSerializer(profile).data)

    @extend_schema(
        operation_id="me_freelancer_profile_change",
        tags=["accounts"],
        request=FreelancerProfileChange,
        responses=FreelancerProfileSerializer,
        examples=[OpenApiExample("Half the week", {"availability": "partly", "hours_per_week": 20}, request_only=True)],
    )
    def patch(self, request: Request) -> Response:
        given = _checked(FreelancerProfileChange(data=request.data))
        profile = services.freelancer_profile_change(actor=actor_of(request), **given)
        return Response(FreelancerProfileSerializer(profile).data)


class FreelancerView(APIView):
    """What every signed-in person may read of a freelancer."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="freelancer_read", tags=["accounts"], responses=FreelancerSerializer)
    def get(self, request: Request, user_id: int) -> Response:
        found = freelancer_for(request.user, user_id)
        return Response(FreelancerSerializer(found, context={"viewer": request.user}).data)


class ClientView(APIView):
    """What every signed-in person may read of a client."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="client_read", tags=["accounts"], responses=ClientSerializer)
    def get(self, request: Request, user_id: int) -> Response:
        return Response(ClientSerializer(client_for(request.user, user_id), context={"viewer": request.user}).data)
