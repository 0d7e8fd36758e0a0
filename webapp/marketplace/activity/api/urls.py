"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [path("activity/views", views.ViewsView.as_view(), name="activity-views")]
