"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import document_views, gateway_views, reconciliation_views, statement_views, transparency_views, views

_DIFFERENCE = "staff/reconciliation/differences/<int:difference_id>"

urlpatterns = [
    path("me/balances", views.BalancesView.as_view(), name="balances"),
    path("me/transactions", views.TransactionsView.as_view(), name="transactions"),
    path("me/payouts", views.PayoutsView.as_view(), name="payouts"),
    path("payments/<int:payment_id>", views.PaymentView.as_view(), name="payment"),
    path("payment-gateways", gateway_views.PaymentGatewaysView.as_view(), name="payment-gateways"),
    path("me/payments", gateway_views.MyPaymentsView.as_view(), name="me-payments"),
    path("payments/<int:payment_id>/refresh", gateway_views.PaymentRefreshView.as_view(), name="payment-refresh"),
    path("payments/<int:payment_id>/cancel", gateway_views.PaymentCancelView.as_view(), name="payment-cancel"),
    path("payments/<int:payment_id>/refunds", gateway_views.PaymentRefundsView.as_view(), name="payment-refunds"),
    path("me/exchange-quotes", gateway_views.ExchangeQuotesView.as_view(), name="me-exchange-quotes"),
    path("me/exchange-quotes/<int:quote_id>/use", gateway_views.ExchangeView.as_view(), name="me-exchange-quote-use"),
    path("me/wallet-refunds", gateway_views.WalletRefundsView.as_view(), name="me-wallet-refunds"),
    path("me/payment-methods", gateway_views.SavedMethodsView.as_view(), name="me-payment-methods"),
    path("me/payment-methods/<int:method_id>", gateway_views.SavedMethodView.as_view(), name="me-payment-method"),
    path("me/payment-methods/<int:method_id>/refresh", gateway_views.SavedMethodRefreshView.as_view(), name="me-payment-method-refresh"),
    path("me/payment-methods/<int:method_id>/default", gateway_views.SavedMethodDefaultView.as_view(), name="me-payment-method-default"),
    path("me/payee-accounts", gateway_views.PayeeAccountsView.as_view(), name="me-payee-accounts"),
    path("me/payee-accounts/<int:account_id>", gateway_views.PayeeAccountView.as_view(), name="me-payee-account"),
    path("me/payee-accounts/<int:account_id>/onboarding", gateway_views.PayeeOnboardingView.as_view(), name="me-payee-account-onboarding"),
    path("me/payee-accounts/<int:account_id>/refresh", gateway_views.PayeeRefreshView.as_view(), name="me-payee-account-refresh"),
    path("me/payee-accounts/<int:account_id>/default", gateway_views.PayeeDefaultView.as_view(), name="me-payee-account-default"),
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
    path("staff/reconciliation/runs", reconciliation_views.ReconciliationRunsView.as_view(), name="reconciliation-runs"),
    path("staff/reconciliation/differences", reconciliation_views.DifferencesView.as_view(), name="reconciliation-differences"),
    path(f"{_DIFFERENCE}", reconciliation_views.DifferenceView.as_view(), name="reconciliation-difference"),
    path(f"{_DIFFERENCE}/claim", reconciliation_views.DifferenceClaimView.as_view(), name="reconciliation-difference-claim"),
    path(f"{_DIFFERENCE}/give-back", reconciliation_views.DifferenceGiveBackView.as_view(), name="reconciliation-difference-give-back"),
    path(f"{_DIFFERENCE}/explain", reconciliation_views.DifferenceExplainView.as_view(), name="reconciliation-difference-explain"),
    path(f"{_DIFFERENCE}/reopen", reconciliation_views.DifferenceReopenView.as_view(), name="reconciliation-difference-reopen"),
    path(f"{_DIFFERENCE}/book", reconciliation_views.DifferenceBookView.as_view(), name="reconciliation-difference-book"),
    path(f"{_DIFFERENCE}/approve", reconciliation_views.DifferenceApproveView.as_view(), name="reconciliation-difference-approve"),
    path(f"{_DIFFERENCE}/refuse", reconciliation_views.DifferenceRefuseView.as_view(), name="reconciliation-difference-refuse"),
    path("staff/reconciliation/processor-files", reconciliation_views.ProcessorFilesView.as_view(), name="processor-files"),
    path("staff/reconciliation/processor-files/<int:file_id>", reconciliation_views.ProcessorFileView.as_view(), name="processor-file"),
    path(
        "staff/reconciliation/processor-files/<int:file_id>/problems",
        reconciliation_views.ProcessorFileProblemsView.as_view(),
        name="processor-file-problems",
    ),
    path("transparency", transparency_views.TransparencyView.as_view(), name="transparency"),
    path("fee-schedule", views.FeeScheduleView.as_view(), name="fee-schedule"),
    path("webhooks/<slug:provider>/<slug:path_token>", views.WebhookView.as_view(), name="webhook"),
]
