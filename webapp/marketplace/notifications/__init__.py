"""What a user is told: inbox items made from outbox events. Nothing in the product waits for a notification."""
