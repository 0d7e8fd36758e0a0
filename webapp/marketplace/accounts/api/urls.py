"""Routes of this app, under /api/v1/."""

from django.urls import path

from . import views

urlpatterns = [
    path("me", views.MeView.as_view(), name="me"),
    path("me/client-profile", views.ClientProfileView.as_view(), name="me-client-profile"),
    path("me/freelancer-profile", views.FreelancerProfileView.as_view(), name="me-freelancer-profile"),
    path("freelancers/<int:user_id>", views.FreelancerView.as_view(), name="freelancer"),
]
