"""Routes of this app, under /api/v1/."""

from django.urls import URLPattern, path

from .views import RecommendedJobsView, SkillSuggestionsView

urlpatterns: list[URLPattern] = [
    path("me/recommended-jobs", RecommendedJobsView.as_view(), name="recommended-jobs"),
    path("me/skill-suggestions", SkillSuggestionsView.as_view(), name="skill-suggestions"),
]
