"""Staff's desk over people: groups, suspensions, acting as somebody else."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from marketplace.accounts import impersonation, services, staffing
from marketplace.accounts.authentication import actor_of
from marketplace.accounts.models import ImpersonatedRequest, Impersonation, Suspension, User
from marketplace.core.api.fields import MAX_ID, WholeNumber
from marketplace.core.api.idempotency import IdempotentMixin
from marketplace.core.api.pagination import KeysetPagination
from marketplace.core.api.serializers import ModelSerializer, Serializer
from marketplace.core.policies import STAFF_ACTIONS, STAFF_GROUPS

from .access import session_key_of


def _checked(serializer: Serializer) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    found: dict[str, Any] = serializer.validated_data
    return found


class AccountReason(Serializer):
    reason = serializers.CharField(max_length=500)


class StaffGroupOut(ModelSerializer):
    """A staff group and what it may do."""

    class Meta:
        model = Group
        fields = ("id", "name", "actions")

    actions = serializers.SerializerMethodField()

    def get_actions(self, group: Group) -> list[str]:
        return [p.codename for p in group.permissions.all() if p.codename in STAFF_ACTIONS]


class StaffGroupIn(AccountReason):
    actions = serializers.ListField(
        child=serializers.ChoiceField(choices=list(STAFF_ACTIONS)),
        max_length=len(STAFF_ACTIONS) * 2,
        help_text="Exactly what the group may do from now on. " + "; ".join(f"{a}: {words}" for a, (words, _) in STAFF_ACTIONS.items()),
    )


GROUP_EXAMPLE = {"id": 1, "name": "support", "actions": ["account_manage", "records_see"]}


class StaffGroupsView(ListAPIView):
    """The staff groups and what each may do."""

    permission_classes = [IsAuthenticated]
    serializer_class = StaffGroupOut
    pagination_class = KeysetPagination
    queryset = Group.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return staffing.groups_for(actor_of(self.request))

    @extend_schema(operation_id="staff_groups_list", tags=["staff"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)


class StaffGroupView(IdempotentMixin, APIView):
    """What one group may do."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_group_put",
        tags=["staff"],
        request=StaffGroupIn,
        responses=StaffGroupOut,
        examples=[
            OpenApiExample(
                "Support pauses no contracts any more",
                request_only=True,
                value={"actions": ["account_manage", "records_see"], "reason": "Moved to moderation."},
            ),
            OpenApiExample("The group", response_only=True, value=GROUP_EXAMPLE),
        ],
    )
    def put(self, request: Request, group_id: int) -> Response:
        group = staffing.group_put(actor=actor_of(request), group_id=group_id, **_checked(StaffGroupIn(data=request.data)))
        return Response(StaffGroupOut(group).data)


class StaffPersonOut(ModelSerializer):
    """A member of staff."""

    class Meta:
        model = User
        fields = ("id", "display_name", "email", "is_active", "is_superuser", "groups")

    groups = serializers.SerializerMethodField()

    def get_groups(self, user: User) -> list[str]:
        return [g.name for g in user.groups.all() if g.name in STAFF_GROUPS]


class StaffPersonIn(AccountReason):
    groups = serializers.ListField(
        child=serializers.ChoiceField(choices=list(STAFF_GROUPS)),
        max_length=len(STAFF_GROUPS) * 2,
        help_text="Exactly the groups from now on; none means no staff any more.",
    )


class StaffPeopleView(ListAPIView):
    """Who is staff, and in which groups."""

    permission_classes = [IsAuthenticated]
    serializer_class = StaffPersonOut
    pagination_class = KeysetPagination
    queryset = User.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return staffing.staff_for(actor_of(self.request))

    @extend_schema(operation_id="staff_people_list", tags=["staff"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)


class StaffPersonView(IdempotentMixin, APIView):
    """Makes somebody staff, moves them between groups, or ends that."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="staff_person_put",
        tags=["staff"],
        request=StaffPersonIn,
        responses=StaffPersonOut,
        examples=[
            OpenApiExample("Into support", request_only=True, value={"groups": ["support"], "reason": "Starts on Monday."}),
            OpenApiExample("No staff any more", request_only=True, value={"groups": [], "reason": "Has left."}),
        ],
    )
    def put(self, request: Request, user_id: int) -> Response:
        user = staffing.staff_put(actor=actor_of(request), user_id=user_id, **_checked(StaffPersonIn(data=request.data)))
        return Response(StaffPersonOut(user).data)


class SuspensionOut(ModelSerializer):
    """That somebody is, or was, kept out."""

    class Meta:
        model = Suspension
        fields = ("id", "user_id", "reason", "at", "lifted_at")


class SuspendView(IdempotentMixin, APIView):
    """Keeps somebody out: sessions and tokens end at once, held money stays held, and the clocks of contracts go on."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="user_suspend",
        tags=["staff"],
        request=AccountReason,
        responses=SuspensionOut,
        examples=[OpenApiExample("Asked to be paid elsewhere", request_only=True, value={"reason": "Asked clients to pay outside."})],
    )
    def post(self, request: Request, user_id: int) -> Response:
        found = services.user_suspend(actor=actor_of(request), user_id=user_id, **_checked(AccountReason(data=request.data)))
        return Response(SuspensionOut(found).data)


class RestoreView(IdempotentMixin, APIView):
    """Lets somebody in again. They sign in anew."""

    permission_classes = [IsAuthenticated]

    @extend_schema(
        operation_id="user_restore",
        tags=["staff"],
        request=AccountReason,
        responses=SuspensionOut,
        examples=[OpenApiExample("A mistake", request_only=True, value={"reason": "It was another account."})],
    )
    def post(self, request: Request, user_id: int) -> Response:
        found = services.user_restore(actor=actor_of(request), user_id=user_id, **_checked(AccountReason(data=request.data)))
        return Response(SuspensionOut(found).data)


class ImpersonationIn(AccountReason):
    user_id = WholeNumber(min_value=1, max_value=MAX_ID, help_text="As whom.")


class ImpersonationOut(ModelSerializer):
    """Staff acting as somebody else. Send `X-Impersonation: <id>` with requests of the session in which it was started."""

    class Meta:
        model = Impersonation
        fields = ("id", "staff_id", "user_id", "reason", "started_at", "expires_at", "ended_at")


class ImpersonationsView(IdempotentMixin, ListAPIView):
    """Acting as somebody else: one's own impersonations, or all of them for those who read the audit."""

    permission_classes = [IsAuthenticated]
    serializer_class = ImpersonationOut
    pagination_class = KeysetPagination
    queryset = Impersonation.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return impersonation.impersonations_for(actor_of(self.request))

    @extend_schema(operation_id="impersonations_list", tags=["staff"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)

    @extend_schema(
        operation_id="impersonation_start",
        tags=["staff"],
        request=ImpersonationIn,
        responses={201: ImpersonationOut},
        examples=[
            OpenApiExample("To see what they see", request_only=True, value={"user_id": 12, "reason": "Ticket 481: the page stays empty."})
        ],
    )
    def post(self, request: Request) -> Response:
        given = _checked(ImpersonationIn(data=request.data))
        found = impersonation.impersonation_start(actor=actor_of(request), session_key=session_key_of(request), **given)
        return Response(ImpersonationOut(found).data, status=201)


class ImpersonationEndView(IdempotentMixin, APIView):
    """Stops acting as somebody else; the person is told."""

    permission_classes = [IsAuthenticated]

    @extend_schema(operation_id="impersonation_end", tags=["staff"], request=None, responses=ImpersonationOut)
    def post(self, request: Request, impersonation_id: int) -> Response:
        found = impersonation.impersonation_end(actor=actor_of(request), impersonation_id=impersonation_id)
        return Response(ImpersonationOut(found).data)


class ImpersonatedRequestOut(ModelSerializer):
    """One request that was made as somebody else."""

    status = serializers.IntegerField(allow_null=True, help_text="Null when it was never answered.")

    class Meta:
        model = ImpersonatedRequest
        fields = ("id", "method", "path", "status", "at")


class ImpersonatedRequestsView(ListAPIView):
    """Every request made under an impersonation, newest first."""

    permission_classes = [IsAuthenticated]
    serializer_class = ImpersonatedRequestOut
    pagination_class = KeysetPagination
    queryset = ImpersonatedRequest.objects.none()

    def get_queryset(self):  # type: ignore[no-untyped-def]
        return impersonation.requests_for(actor_of(self.request), self.kwargs["impersonation_id"])

    @extend_schema(operation_id="impersonated_requests_list", tags=["staff"])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return self.list(request)
