"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("me/inbox", views.InboxView.as_view(), name="me-inbox"),
    path("me/inbox/read-all", views.InboxReadAllView.as_view(), name="me-inbox-read-all"),
    path("me/notification-settings", views.PreferenceView.as_view(), name="me-notification-settings"),
    path("me/inbox/<int:pk>/read", views.InboxReadView.as_view(), name="me-inbox-read"),
]
