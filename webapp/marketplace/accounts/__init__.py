"""Users, roles, client and freelancer profiles, sessions, sign-in. Not here: reputation (trust), what a user earns (payments)."""
