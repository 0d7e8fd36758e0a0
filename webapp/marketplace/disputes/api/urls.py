"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("milestones/<int:pk>/dispute", views.DisputeOpenView.as_view(), name="milestone-dispute"),
    path("disputes/<int:pk>", views.DisputeView.as_view(), name="dispute"),
    *(
        path(f"disputes/<int:pk>/{word}", view.as_view(), name=f"dispute-{word}")
        for word, view in (
            ("respond", views.DisputeRespondView),
            ("offer", views.DisputeOfferView),
            ("accept", views.DisputeAcceptView),
            ("evidence", views.DisputeEvidenceView),
            ("decide", views.DisputeDecideView),
            ("appeal", views.DisputeAppealView),
        )
    ),
    path("me/disputes", views.MyDisputesView.as_view(), name="me-disputes"),
    path("staff/disputes", views.StaffDisputesView.as_view(), name="staff-disputes"),
    path("dispute-precedents", views.PrecedentsView.as_view(), name="dispute-precedents"),
    path("disputes/<int:pk>/withdraw", views.DisputeWithdrawView.as_view(), name="dispute-withdraw"),
    path("disputes/<int:pk>/settle", views.DisputeSettleView.as_view(), name="dispute-settle"),
]
