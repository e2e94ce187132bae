"""Reconciliation: what the stream estimated beside what the bill says, and what explains the gap."""
