"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("me/balances", views.BalancesView.as_view(), name="balances"),
    path("me/transactions", views.TransactionsView.as_view(), name="transactions"),
    path("me/payouts", views.PayoutsView.as_view(), name="payouts"),
    path("payments/<int:payment_id>", views.PaymentView.as_view(), name="payment"),
    path("fee-schedule", views.FeeScheduleView.as_view(), name="fee-schedule"),
    path("webhooks/<slug:provider>/<slug:path_token>", views.WebhookView.as_view(), name="webhook"),
]
