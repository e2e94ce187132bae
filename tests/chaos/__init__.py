"""The fault suite: totals and anomalies stay exact while workers, broker and network fail. See docs/chaos.md."""
