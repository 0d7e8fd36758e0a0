"""Routes of this app, under /api/v1/."""

from django.urls import URLPattern, path

from .views import RecommendedJobsView

urlpatterns: list[URLPattern] = [path("me/recommended-jobs", RecommendedJobsView.as_view(), name="recommended-jobs")]
