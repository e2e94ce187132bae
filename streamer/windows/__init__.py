"""Event time: watermarks, tumbling windows, the totals in them, and who they belong to."""
