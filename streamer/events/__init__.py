"""The front door: bytes in any accepted format become `UsageEvent` or `Rejected`."""
