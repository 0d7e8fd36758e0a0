"""Named points at which a test may kill the process. Inert unless OPENLANCE_FAILPOINT names one."""

from __future__ import annotations

import os
import signal


def failpoint(name: str, process: int | None = None) -> None:
    """End this process (or the child `process`) like a power cut when OPENLANCE_FAILPOINT is `name`."""
    if os.environ.get("OPENLANCE_FAILPOINT") == name:
        os.kill(process or os.getpid(), signal.SIGKILL)
