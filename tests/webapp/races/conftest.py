"""Races of work and money: real commits, real threads, and a rendezvous instead of sleeping."""

from tests.webapp.contracts_cast import *  # noqa: F403  (fixtures)
