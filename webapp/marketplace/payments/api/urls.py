"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import statement_views, views

urlpatterns = [
    path("me/balances", views.BalancesView.as_view(), name="balances"),
    path("me/transactions", views.TransactionsView.as_view(), name="transactions"),
    path("me/payouts", views.PayoutsView.as_view(), name="payouts"),
    path("payments/<int:payment_id>", views.PaymentView.as_view(), name="payment"),
    path("me/ledger-accounts", statement_views.LedgerAccountsView.as_view(), name="ledger-accounts"),
    path("me/statement", statement_views.StatementView.as_view(), name="statement"),
    path("me/statement.csv", statement_views.StatementFileView.as_view(), name="statement-file"),
    path("ledger-accounts/<int:account_id>/statement", statement_views.AccountStatementView.as_view(), name="account-statement"),
    path(
        "ledger-accounts/<int:account_id>/statement.csv", statement_views.AccountStatementFileView.as_view(), name="account-statement-file"
    ),
    path("staff/users/<int:user_id>/statement", statement_views.StaffStatementView.as_view(), name="staff-statement"),
    path("fee-schedule", views.FeeScheduleView.as_view(), name="fee-schedule"),
    path("webhooks/<slug:provider>/<slug:path_token>", views.WebhookView.as_view(), name="webhook"),
]
