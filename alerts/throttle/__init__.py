"""Commands to gateways: which anomaly leads to which action, what is in force, and when it is let go."""
