"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import audit, files, staff, views

urlpatterns = [
    path("health", views.HealthView.as_view(), name="health"),
    path("clock", views.ClockView.as_view(), name="clock"),
    path("clock/advance", views.ClockAdvanceView.as_view(), name="clock-advance"),
    path("audit", audit.AuditView.as_view(), name="audit"),
    path("feature-settings", staff.FeaturesView.as_view(), name="feature-settings"),
    path("feature-settings/<slug:feature>", staff.FeatureView.as_view(), name="feature-setting"),
    path("bulk-acts", staff.BulkActsView.as_view(), name="bulk-acts"),
    path("bulk-acts/<int:act_id>", staff.BulkActView.as_view(), name="bulk-act"),
    path("files", files.FilesView.as_view(), name="files"),
    path("files/<int:file_id>", files.FileView.as_view(), name="file"),
]
