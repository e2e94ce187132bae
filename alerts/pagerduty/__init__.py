"""PagerDuty: `event` makes an event of an incident (pure), `client` sends it."""
