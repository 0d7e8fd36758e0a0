"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("contracts/<int:pk>/review", views.ReviewWriteView.as_view(), name="contract-review"),
    path("contracts/<int:pk>/reviews", views.ReviewsView.as_view(), name="contract-reviews"),
    path("reviews/<int:pk>", views.ReviewView.as_view(), name="review"),
    path("reviews/<int:pk>/reply", views.ReviewReplyView.as_view(), name="review-reply"),
    path("users/<int:pk>/reviews", views.UserReviewsView.as_view(), name="user-reviews"),
    path("text-check", views.TextCheckView.as_view(), name="text-check"),
    path("users/<int:pk>/reputation", views.ReputationView.as_view(), name="user-reputation"),
]
