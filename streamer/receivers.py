"""Builds what reaches people from the configuration: Slack, webhooks, PagerDuty, the console."""

import sys
from collections.abc import Mapping

from alerts.console import ConsoleReceiver
from alerts.history import Historian
from alerts.pagerduty.client import URL, PagerDutyReceiver
from alerts.receiver import Receiver
from alerts.showback import Reporter
from alerts.slack.app import SlackApp
from alerts.slack.client import SlackReceiver
from alerts.to_owner import ToOwner
from alerts.webhook.client import WebhookReceiver
from streamer.clock import wall
from streamer.config import Config, ReceiverConfig
from streamer.routing import rules_of

_REPORTERS = (SlackReceiver, ConsoleReceiver, ToOwner)


def slack_of(config: Config) -> SlackApp:
    """Build the Slack app; without a token it reaches nobody."""
    slack = config.slack
    return SlackApp(
        slack.token.get_secret_value(),
        base_url=slack.base_url,
        timeout=slack.timeout_seconds,
        spacing=slack.spacing_seconds,
    )


def receivers_of(config: Config, app: SlackApp, historian: Historian) -> dict[str, Receiver]:
    """Build the receivers by name."""
    return {receiver.name: _receiver(receiver, config, app, historian) for receiver in config.alerts.receivers}


def reporters_of(receivers: Mapping[str, Receiver]) -> dict[str, Reporter]:
    """Pick those that can tell a showback."""
    return {name: found for name, found in receivers.items() if isinstance(found, _REPORTERS)}


def _receiver(receiver: ReceiverConfig, config: Config, app: SlackApp, historian: Historian) -> Receiver:
    def slack(channel: str) -> SlackReceiver:
        return SlackReceiver(app, channel, historian, buttons=config.slack.answers, link=config.page.link_to)

    timeout = receiver.timeout_seconds
    if receiver.type == "console":
        return ConsoleReceiver(sys.stdout)
    if receiver.type == "webhook":
        return WebhookReceiver(receiver.url, receiver.secret.get_secret_value(), timeout=timeout, clock=wall)
    if receiver.type == "pagerduty":
        return PagerDutyReceiver(receiver.routing_key.get_secret_value(), url=receiver.url or URL, timeout=timeout)
    if receiver.to_owner:
        channels = {rule.channel for rule in rules_of(config.alerts) if rule.channel}
        return ToOwner(slack(receiver.channel), {name: slack(name) for name in channels})
    return slack(receiver.channel)
