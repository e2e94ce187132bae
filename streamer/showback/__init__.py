"""Showback: what each tenant, use case and agent spent in a day or a week, by the six kinds of cost."""
