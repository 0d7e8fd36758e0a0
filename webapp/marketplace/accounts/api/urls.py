"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import access, leaving_views, section_views, staff, views
from . import section_shapes as shapes

_SECTIONS = {
    "certifications": (shapes.CertificationIn, shapes.CertificationOut),
    "portfolio": (shapes.PortfolioIn, shapes.PortfolioOut),
    "experience": (shapes.ExperienceIn, shapes.ExperienceOut),
    "education": (shapes.EducationIn, shapes.EducationOut),
}
_section_routes = []
for _name, _shapes in _SECTIONS.items():
    _all, _one, _order = section_views.views_of(_name, *_shapes)
    _section_routes += [
        path(f"me/freelancer-profile/{_name}", _all.as_view(), name=f"me-{_name}"),
        path(f"me/freelancer-profile/{_name}/order", _order.as_view(), name=f"me-{_name}-order"),
        path(f"me/freelancer-profile/{_name}/<int:entry_id>", _one.as_view(), name=f"me-{_name}-entry"),
    ]

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("me/client-profile", views.ClientProfileView.as_view(), name="me-client-profile"),
    path("me/freelancer-profile", views.FreelancerProfileView.as_view(), name="me-freelancer-profile"),
    path("me/freelancer-profile/completeness", section_views.CompletenessView.as_view(), name="me-freelancer-completeness"),
    *_section_routes,
    path("me/exports", leaving_views.ExportsView.as_view(), name="me-exports"),
    path("me/exports/<int:export_id>", leaving_views.ExportView.as_view(), name="me-export"),
    path("me/exports/<int:export_id>/download", leaving_views.ExportDownloadView.as_view(), name="me-export-download"),
    path("me/close", leaving_views.CloseView.as_view(), name="me-close"),
    path("me/close/cancel", leaving_views.CloseCancelView.as_view(), name="me-close-cancel"),
    path("freelancers/<int:user_id>", views.FreelancerView.as_view(), name="freelancer"),
    path("clients/<int:user_id>", views.ClientView.as_view(), name="client"),
    path("staff/certifications", section_views.CertificationQueueView.as_view(), name="staff-certifications"),
    path("staff/certifications/<int:entry_id>/check", section_views.CertificationCheckView.as_view(), name="staff-certification-check"),
    path("staff/clients/<int:user_id>/check", section_views.CompanyCheckView.as_view(), name="staff-company-check"),
    path("me/tokens", access.ApiTokensView.as_view(), name="me-tokens"),
    path("me/tokens/<int:token_id>", access.ApiTokenView.as_view(), name="me-token"),
    path("me/sessions", access.SessionsView.as_view(), name="me-sessions"),
    path("me/sessions/end", access.SessionsEndView.as_view(), name="me-sessions-end"),
    path("me/sessions/<int:session_id>", access.SessionView.as_view(), name="me-session"),
    path("staff/groups", staff.StaffGroupsView.as_view(), name="staff-groups"),
    path("staff/groups/<int:group_id>", staff.StaffGroupView.as_view(), name="staff-group"),
    path("staff/people", staff.StaffPeopleView.as_view(), name="staff-people"),
    path("staff/people/<int:user_id>", staff.StaffPersonView.as_view(), name="staff-person"),
    path("staff/users/<int:user_id>/suspend", staff.SuspendView.as_view(), name="user-suspend"),
    path("staff/users/<int:user_id>/restore", staff.RestoreView.as_view(), name="user-restore"),
    path("staff/impersonations", staff.ImpersonationsView.as_view(), name="impersonations"),
    path("staff/impersonations/<int:impersonation_id>/end", staff.ImpersonationEndView.as_view(), name="impersonation-end"),
    path("staff/impersonations/<int:impersonation_id>/requests", staff.ImpersonatedRequestsView.as_view(), name="impersonated-requests"),
]
