"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("contracts/<int:pk>/review", views.ReviewWriteView.as_view(), name="contract-review"),
    path("contracts/<int:pk>/reviews", views.ReviewsView.as_view(), name="contract-reviews"),
    path("users/<int:pk>/reputation", views.ReputationView.as_view(), name="user-reputation"),
]
