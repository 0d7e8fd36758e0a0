"""The ledger, escrow, fees, exchange rates, payments through gateways, payouts. Nothing else in the house moves money."""
