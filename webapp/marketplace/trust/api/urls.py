"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import case_views, views

urlpatterns = [
    path("contracts/<int:pk>/review", views.ReviewWriteView.as_view(), name="contract-review"),
    path("contracts/<int:pk>/reviews", views.ReviewsView.as_view(), name="contract-reviews"),
    path("reviews/<int:pk>", views.ReviewView.as_view(), name="review"),
    path("reviews/<int:pk>/reply", views.ReviewReplyView.as_view(), name="review-reply"),
    path("users/<int:pk>/reviews", views.UserReviewsView.as_view(), name="user-reviews"),
    path("text-check", views.TextCheckView.as_view(), name="text-check"),
    path("users/<int:pk>/reputation", views.ReputationView.as_view(), name="user-reputation"),
    path("reports", case_views.ReportsView.as_view(), name="reports"),
    path("me/reports", case_views.MyReportsView.as_view(), name="me-reports"),
    path("me/decisions", case_views.MyDecisionsView.as_view(), name="me-decisions"),
    path("decisions/<int:pk>/appeal", case_views.DecisionAppealView.as_view(), name="decision-appeal"),
    path("letter-decisions/<slug:token>", case_views.LetterDecisionView.as_view(), name="letter-decision"),
    path("staff/cases", case_views.CasesView.as_view(), name="staff-cases"),
    path("staff/cases/<int:pk>", case_views.CaseView.as_view(), name="staff-case"),
    *(
        path(f"staff/cases/<int:pk>/{word}", view.as_view(), name=f"staff-case-{word}")
        for word, view in (
            ("claim", case_views.CaseClaimView),
            ("release", case_views.CaseReleaseView),
            ("decide", case_views.CaseDecideView),
            ("approve", case_views.CaseApproveView),
            ("send-back", case_views.CaseSendBackView),
            ("decide-appeal", case_views.CaseDecideAppealView),
            ("rate", case_views.CaseRateView),
        )
    ),
    path("staff/second-ratings", case_views.SecondRatingsView.as_view(), name="staff-second-ratings"),
    path("staff/moderation-agreement", case_views.AgreementView.as_view(), name="staff-moderation-agreement"),
]
