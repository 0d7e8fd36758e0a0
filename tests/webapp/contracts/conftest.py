"""The stages of a contract, and proof after every test that the books balance."""

from tests.webapp.contracts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.hours_cast import *  # noqa: F403  (fixtures)
