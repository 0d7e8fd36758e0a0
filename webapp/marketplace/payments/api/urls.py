"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import document_views, statement_views, views

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
    path("me/statement.pdf", document_views.StatementPdfView.as_view(), name="statement-pdf"),
    path("me/documents", document_views.DocumentsView.as_view(), name="documents"),
    path("me/tax-details", document_views.TaxDetailsView.as_view(), name="tax-details"),
    path("documents/<int:document_id>", document_views.DocumentView.as_view(), name="document"),
    path("documents/<int:document_id>/pdf", document_views.DocumentPdfView.as_view(), name="document-pdf"),
    path("documents/<int:document_id>/xml", document_views.DocumentXmlView.as_view(), name="document-xml"),
    path("staff/ledger-entries/<int:entry_id>/fee-refund", document_views.FeeRefundView.as_view(), name="staff-fee-refund"),
    path("fee-schedule", views.FeeScheduleView.as_view(), name="fee-schedule"),
    path("webhooks/<slug:provider>/<slug:path_token>", views.WebhookView.as_view(), name="webhook"),
]
