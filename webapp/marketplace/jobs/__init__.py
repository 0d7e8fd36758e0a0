"""Categories, skills, job posts, proposals. Not here: what happens after acceptance (contracts), who fits whom (matching)."""
