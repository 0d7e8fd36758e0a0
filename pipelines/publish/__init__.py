"""From audited marts to what people read: write, audit, switch, collect garbage.

Belongs here: immutable parts, the file of views over them, lineage, the pointer. Does not: the marts' meaning (dbt), reading (marts_reader).
"""

from .lineage import AuditError
from .publication import Publication, forget_earlier, publish, rollback

__all__ = ["AuditError", "Publication", "forget_earlier", "publish", "rollback"]
