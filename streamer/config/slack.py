"""The Slack app: what it may do, and how people's answers come back."""

from pydantic import SecretStr

from streamer.config.base import NotNegative, Positive, Section


class SlackConfig(Section):
    """The Slack app; its secrets may also come from SLACK_BOT_TOKEN, SLACK_APP_TOKEN and SLACK_SIGNING_SECRET.

    With an `app_token` answers come by Socket Mode, with a `signing_secret` by HTTP; with neither there are no buttons.
    """

    token: SecretStr = SecretStr("")
    app_token: SecretStr = SecretStr("")
    signing_secret: SecretStr = SecretStr("")
    base_url: str = "https://slack.com/api/"
    timeout_seconds: Positive = 10.0
    spacing_seconds: NotNegative = 1.0

    @property
    def answers(self) -> bool:
        """Whether there is a way for people's answers to come back."""
        return bool(self.app_token or self.signing_secret)
