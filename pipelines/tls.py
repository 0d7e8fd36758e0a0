"""TLS to an operational database on another machine: OPENLANCE_DB_TLS_CA names the file with its CA's certificate.

Where it is set, a connection is encrypted, and the server's certificate must be signed by that CA for the very host name that is asked for
(OPENLANCE_DB_HOST); nothing falls back to a connection in the clear. A unix socket (OPENLANCE_DB_SOCKET) does not leave the machine and needs none.
The web app, which imports nothing from here, does the same in `config/settings/base.py`.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

VARIABLE = "OPENLANCE_DB_TLS_CA"


class NoCertificate(FileNotFoundError):
    """The CA's file is not there or holds no certificate; the message says which file that is."""


def authority() -> Path | None:
    """The file of the CA that must have signed the server's certificate; None for a connection without TLS. Raises NoCertificate."""
    named = os.environ.get(VARIABLE, "")
    if not named or os.environ.get("OPENLANCE_DB_SOCKET"):
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(named)
    except OSError as fault:
        raise NoCertificate(f"{VARIABLE}: no CA certificate can be read from {named} ({fault.strerror})") from fault
    return Path(named).absolute()
