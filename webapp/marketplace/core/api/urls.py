"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import audit, files, views

urlpatterns = [
    path("health", views.HealthView.as_view(), name="health"),
    path("clock", views.ClockView.as_view(), name="clock"),
    path("clock/advance", views.ClockAdvanceView.as_view(), name="clock-advance"),
    path("audit", audit.AuditView.as_view(), name="audit"),
    path("files", files.FilesView.as_view(), name="files"),
    path("files/<int:file_id>", files.FileView.as_view(), name="file"),
]
