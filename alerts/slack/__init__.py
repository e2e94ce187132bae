"""Slack: `render` makes blocks of an incident (pure), `client` sends them."""
