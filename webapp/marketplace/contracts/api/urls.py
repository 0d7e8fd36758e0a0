"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("proposals/<int:pk>/offer", views.OfferView.as_view(), name="proposals-offer"),
    path("me/contracts", views.MyContractsView.as_view(), name="me-contracts"),
    path("contracts/<int:pk>", views.ContractView.as_view(), name="contracts"),
    path("contracts/<int:pk>/timeline", views.TimelineView.as_view(), name="contracts-timeline"),
    path("contracts/<int:pk>/accept", views.AcceptView.as_view(), name="contracts-accept"),
    path("contracts/<int:pk>/decline", views.DeclineView.as_view(), name="contracts-decline"),
    path("contracts/<int:pk>/cancel", views.CancelView.as_view(), name="contracts-cancel"),
    path("contracts/<int:pk>/pause", views.PauseView.as_view(), name="contracts-pause"),
    path("contracts/<int:pk>/resume", views.ResumeView.as_view(), name="contracts-resume"),
    path("milestones/<int:pk>/fund", views.FundView.as_view(), name="milestones-fund"),
    path("milestones/<int:pk>/start", views.StartView.as_view(), name="milestones-start"),
    path("milestones/<int:pk>/submit", views.SubmitView.as_view(), name="milestones-submit"),
    path("milestones/<int:pk>/request-changes", views.RequestChangesView.as_view(), name="milestones-request-changes"),
    path("milestones/<int:pk>/approve", views.ApproveView.as_view(), name="milestones-approve"),
    path("milestones/<int:pk>/refund", views.RefundView.as_view(), name="milestones-refund"),
]
