"""The double-entry ledger: accounts, templates of entries, the one way to post, triggers, and the check of its invariants.

Not here: what an amount should be (payments.fees, payments.fx) and when money moves (payments.services, contracts).
"""
