"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import proposal_views, search_views, views

urlpatterns = [
    path("categories", views.CategoriesView.as_view(), name="categories"),
    path("skills", views.SkillsView.as_view(), name="skills"),
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/<int:job_id>", views.JobView.as_view(), name="job"),
    path("jobs/<int:job_id>/publish", views.JobPublishView.as_view(), name="job-publish"),
    path("jobs/<int:job_id>/close", views.JobCloseView.as_view(), name="job-close"),
    path("jobs/<int:job_id>/renew", views.JobRenewView.as_view(), name="job-renew"),
    path("jobs/<int:job_id>/invitations", views.JobInvitationsView.as_view(), name="job-invitations"),
    path("jobs/<int:job_id>/quote", proposal_views.QuoteView.as_view(), name="job-quote"),
    path("jobs/<int:job_id>/proposals", proposal_views.JobProposalsView.as_view(), name="job-proposals"),
    path("freelancers", search_views.FreelancersView.as_view(), name="freelancers"),
    path("me/jobs", views.MyJobsView.as_view(), name="me-jobs"),
    path("me/proposals", proposal_views.MyProposalsView.as_view(), name="me-proposals"),
    path("proposals/<int:proposal_id>", proposal_views.ProposalView.as_view(), name="proposal"),
    path("proposals/<int:proposal_id>/shortlist", proposal_views.ProposalShortlistView.as_view(), name="proposal-shortlist"),
    path("proposals/<int:proposal_id>/decline", proposal_views.ProposalDeclineView.as_view(), name="proposal-decline"),
    path("proposals/<int:proposal_id>/withdraw", proposal_views.ProposalWithdrawView.as_view(), name="proposal-withdraw"),
]
