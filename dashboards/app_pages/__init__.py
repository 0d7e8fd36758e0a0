"""Pages by audience; each is a script that the router runs for a viewer who may see it."""
