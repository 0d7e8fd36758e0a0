"""Contracts, milestones, submissions, and the one timeline of work and money. Money moves through payments.services only."""
