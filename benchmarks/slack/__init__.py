"""Pictures of Slack's messages for docs/slack.md: what is sent, drawn as Slack draws it."""
