"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import keeping_views, post_views, proposal_views, search_views, views

urlpatterns = [
    path("categories", views.CategoriesView.as_view(), name="categories"),
    path("skills", views.SkillsView.as_view(), name="skills"),
    path("jobs", views.JobsView.as_view(), name="jobs"),
    path("jobs/<int:job_id>", views.JobView.as_view(), name="job"),
    path("jobs/<int:job_id>/publish", views.JobPublishView.as_view(), name="job-publish"),
    path("jobs/<int:job_id>/close", views.JobCloseView.as_view(), name="job-close"),
    path("jobs/<int:job_id>/renew", views.JobRenewView.as_view(), name="job-renew"),
    path("jobs/<int:job_id>/history", post_views.JobHistoryView.as_view(), name="job-history"),
    path("jobs/<int:job_id>/hold", post_views.JobHoldView.as_view(), name="job-hold"),
    path("jobs/<int:job_id>/clear", post_views.JobClearView.as_view(), name="job-clear"),
    path("jobs/<int:job_id>/remove", post_views.JobRemoveView.as_view(), name="job-remove"),
    path("jobs/<int:job_id>/restore", post_views.JobRestoreView.as_view(), name="job-restore"),
    path("jobs/<int:job_id>/invitations", post_views.JobInvitationsView.as_view(), name="job-invitations"),
    path("me/invitations", post_views.MyInvitationsView.as_view(), name="me-invitations"),
    path("invitations/<int:invitation_id>/accept", post_views.InvitationAcceptView.as_view(), name="invitation-accept"),
    path("invitations/<int:invitation_id>/decline", post_views.InvitationDeclineView.as_view(), name="invitation-decline"),
    path("skills/<slug:slug>/merge", post_views.SkillMergeView.as_view(), name="skill-merge"),
    path("skills/<slug:slug>/rename", post_views.SkillRenameView.as_view(), name="skill-rename"),
    path("me/saved-jobs", keeping_views.SavedJobsView.as_view(), name="me-saved-jobs"),
    path("me/saved-jobs/<int:job_id>", keeping_views.SavedJobView.as_view(), name="me-saved-job"),
    path("me/hidden-jobs", keeping_views.HiddenJobsView.as_view(), name="me-hidden-jobs"),
    path("me/hidden-jobs/<int:job_id>", keeping_views.HiddenJobView.as_view(), name="me-hidden-job"),
    path("me/saved-searches", keeping_views.SavedSearchesView.as_view(), name="me-saved-searches"),
    path("me/saved-searches/<int:search_id>", keeping_views.SavedSearchView.as_view(), name="me-saved-search"),
    path("me/shortlists", keeping_views.ShortlistsView.as_view(), name="me-shortlists"),
    path("me/shortlists/<int:shortlist_id>", keeping_views.ShortlistView.as_view(), name="me-shortlist"),
    path("me/shortlists/<int:shortlist_id>/items", keeping_views.ShortlistItemsView.as_view(), name="me-shortlist-items"),
    path(
        "me/shortlists/<int:shortlist_id>/items/<int:freelancer_id>",
        keeping_views.ShortlistItemView.as_view(),
        name="me-shortlist-item",
    ),
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
