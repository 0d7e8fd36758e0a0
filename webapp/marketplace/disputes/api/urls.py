"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("milestones/<int:pk>/dispute", views.DisputeOpenView.as_view(), name="milestone-dispute"),
    path("disputes/<int:pk>", views.DisputeView.as_view(), name="dispute"),
    path("disputes/<int:pk>/withdraw", views.DisputeWithdrawView.as_view(), name="dispute-withdraw"),
    path("disputes/<int:pk>/settle", views.DisputeSettleView.as_view(), name="dispute-settle"),
]
