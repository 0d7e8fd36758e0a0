"""What finance staff decide of payouts: those that are held, and those whose end two people read at the gateway."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from marketplace.core.api.examples import sent

from .. import services
from .oversight_views import TAG, MoneyReasonSerializer, StaffAct, StaffPayoutSerializer


class StaffPayoutAllowView(StaffAct):
    """Let a held payout go, whatever held it."""

    @extend_schema(
        operation_id="staff_payout_allow",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Let it go", reason="Spoke with the payee; the new account is theirs.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_allow(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutRefuseView(StaffAct):
    """Refuse a payout that is not sent; the money is on the payee's balance again, and they read the reason."""

    @extend_schema(
        operation_id="staff_payout_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Refuse it", reason="The account was taken over; the owner asked us to stop it.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_refuse(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutResolveView(StaffAct):
    """Ask that a payout that is sent for long fails here, because you read at the gateway that it was not paid. A second person has to agree."""

    @extend_schema(
        operation_id="staff_payout_resolve",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Ask for it", reason="M-Pesa's portal knows no payment of this name.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_resolve(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutResolveApproveView(StaffAct):
    """The second person, who read the same: the payout fails, and the money is on the payee's balance again."""

    @extend_schema(
        operation_id="staff_payout_resolve_approve",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Agree", reason="Looked it up in the portal: there is none.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_resolve_approve(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutResolveRefuseView(StaffAct):
    """The payout stays sent; also whoever asked may take it back so."""

    @extend_schema(
        operation_id="staff_payout_resolve_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Refuse", reason="The portal shows it as paid.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_resolve_refuse(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutLateView(StaffAct):
    """Ask that a payout which failed here counts as paid, because you read at the gateway that it was (`failure_code` is `paid_after_all` where
    the gateway has told so itself). A second person has to agree."""

    @extend_schema(
        operation_id="staff_payout_settle_late",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Ask for it", reason="Stripe shows the payout as paid on the 3rd; the bank's receipt is in the ticket.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_settle_late(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutLateApproveView(StaffAct):
    """The second person, who read the same: the payout is paid, out of the payee's available balance. What is not there any more the payee owes,
    and what becomes available later pays it first."""

    @extend_schema(
        operation_id="staff_payout_settle_late_approve",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Agree", reason="Looked it up at Stripe: it arrived.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_settle_late_approve(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)


class StaffPayoutLateRefuseView(StaffAct):
    """The payout stays failed; also whoever asked may take it back so."""

    @extend_schema(
        operation_id="staff_payout_settle_late_refuse",
        tags=TAG,
        request=MoneyReasonSerializer,
        responses=StaffPayoutSerializer,
        examples=[sent("Refuse", reason="The bank sent it back on the next day.")],
    )
    def post(self, request: Request, payout_id: int) -> Response:
        payout = services.payout_settle_late_refuse(actor=request.user, payout_id=payout_id, reason=self.reason(request))
        return Response(StaffPayoutSerializer(payout).data)
