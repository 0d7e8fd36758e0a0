"""Named points at which a test may kill the process. Inert unless OPENLANCE_FAILPOINT names one."""

from __future__ import annotations

import os
import signal


def failpoint(name: str) -> None:
    """End this process like a power cut when OPENLANCE_FAILPOINT is `name`."""
    if os.environ.get("OPENLANCE_FAILPOINT") == name:
        os.kill(os.getpid(), signal.SIGKILL)
