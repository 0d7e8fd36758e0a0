"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import hours_views, offers, views

urlpatterns = [
    path("proposals/<int:pk>/offer", views.OfferView.as_view(), name="proposals-offer"),
    path("me/contracts", views.MyContractsView.as_view(), name="me-contracts"),
    path("contracts/<int:pk>", views.ContractView.as_view(), name="contracts"),
    path("contracts/<int:pk>/timeline", views.TimelineView.as_view(), name="contracts-timeline"),
    path("contracts/<int:pk>/accept", views.AcceptView.as_view(), name="contracts-accept"),
    path("contracts/<int:pk>/decline", views.DeclineView.as_view(), name="contracts-decline"),
    path("contracts/<int:pk>/counter-offers", offers.CounterOffersView.as_view(), name="contracts-counter-offers"),
    path("counter-offers/<int:pk>/accept", offers.CounterOfferAcceptView.as_view(), name="counter-offers-accept"),
    path("counter-offers/<int:pk>/decline", offers.CounterOfferDeclineView.as_view(), name="counter-offers-decline"),
    path("counter-offers/<int:pk>/withdraw", offers.CounterOfferWithdrawView.as_view(), name="counter-offers-withdraw"),
    path("contracts/<int:pk>/cancel", views.CancelView.as_view(), name="contracts-cancel"),
    path("contracts/<int:pk>/pause", views.PauseView.as_view(), name="contracts-pause"),
    path("contracts/<int:pk>/resume", views.ResumeView.as_view(), name="contracts-resume"),
    path("milestones/<int:pk>/fund", views.FundView.as_view(), name="milestones-fund"),
    path("milestones/<int:pk>/start", views.StartView.as_view(), name="milestones-start"),
    path("milestones/<int:pk>/submit", views.SubmitView.as_view(), name="milestones-submit"),
    path("milestones/<int:pk>/request-changes", views.RequestChangesView.as_view(), name="milestones-request-changes"),
    path("milestones/<int:pk>/approve", views.ApproveView.as_view(), name="milestones-approve"),
    path("milestones/<int:pk>/refund", views.RefundView.as_view(), name="milestones-refund"),
    path("contracts/<int:pk>/hours", hours_views.HoursView.as_view(), name="contracts-hours"),
    path("contracts/<int:pk>/hours/stop", hours_views.HoursStopView.as_view(), name="contracts-hours-stop"),
    path("contracts/<int:pk>/cap-changes", hours_views.CapChangesView.as_view(), name="contracts-cap-changes"),
    path("contracts/<int:pk>/weeks", hours_views.WeeksView.as_view(), name="contracts-weeks"),
    path("contracts/<int:pk>/timesheet.csv", hours_views.TimesheetFileView.as_view(), name="contracts-timesheet-file"),
    path("cap-changes/<int:pk>/accept", hours_views.CapChangeAcceptView.as_view(), name="cap-changes-accept"),
    path("cap-changes/<int:pk>/decline", hours_views.CapChangeDeclineView.as_view(), name="cap-changes-decline"),
    path("cap-changes/<int:pk>/withdraw", hours_views.CapChangeWithdrawView.as_view(), name="cap-changes-withdraw"),
    path("weeks/<int:pk>", hours_views.WeekView.as_view(), name="weeks"),
    path("weeks/<int:pk>/entries", hours_views.EntriesView.as_view(), name="weeks-entries"),
    path("weeks/<int:pk>/submit", hours_views.WeekSubmitView.as_view(), name="weeks-submit"),
    path("weeks/<int:pk>/question", hours_views.WeekQuestionView.as_view(), name="weeks-question"),
    path("weeks/<int:pk>/answer", hours_views.WeekAnswerView.as_view(), name="weeks-answer"),
    path("time-entries/<int:pk>", hours_views.EntryView.as_view(), name="time-entries"),
]
