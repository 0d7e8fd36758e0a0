"""The house of the permission matrix, for every case to knock at."""

from tests.webapp.contracts_cast import *  # noqa: F403  (fixtures)
from tests.webapp.test_permission_matrix import house  # noqa: F401  (fixture)
