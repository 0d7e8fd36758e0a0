"""What every app shares and nothing of any one of them: money, states, errors, outbox, idempotency, policies, ports, clock."""
