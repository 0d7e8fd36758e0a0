"""Whether what the source brings looks like what it has always brought.

Belongs here: checks of a batch against the log's own history (checks), what is set aside and how it is let in again (quarantine),
who is told (alerts), and what failed, until the marts tell of it (incidents). Does not: the shape of a table (extract.contracts), rules of the business (dbt's tests). The extraction knows
none of this: it is handed a gate, which looks at a batch before the batch counts.

    python -m pipelines.quality list                    what is set aside, and why
    python -m pipelines.quality release TABLE --reason  let such a batch in: the next run reads it again from the kept mark
    python -m pipelines.quality drop TABLE --reason     forget the copy: the source was mended, and the next run checks what is there now
"""

from .quarantine import Gate, held_tables, waiting_tables

__all__ = ["Gate", "held_tables", "waiting_tables"]
