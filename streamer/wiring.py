"""Builds the parts of Tidegate from its configuration; the one place where the packages meet."""

import sys

import structlog

from alerts.alert import Alert, Label
from alerts.console import ConsoleReceiver
from alerts.desk import AlertDesk
from alerts.dispatcher import Dispatcher
from alerts.receiver import Receiver
from alerts.routes import Route
from alerts.slack.client import SlackReceiver
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from streamer.config import Config, ReceiverConfig
from streamer.events.decoder import Decoder
from streamer.records import Anomaly

log = structlog.get_logger()


def decoder_of(config: Config, *, feedback: bool = False) -> Decoder:
    """Build the decoder, of usage events alone or of people's feedback among them."""
    events = config.events
    return Decoder(
        max_record_bytes=events.max_record_bytes,
        max_future_seconds=events.max_future_seconds,
        default_tenant=events.default_tenant,
        hash_key=events.hash_key.get_secret_value(),
        feedback=feedback,
    )


def desk_of(config: Config) -> AlertDesk:
    """Build the desk, with its dispatcher and ledger."""
    return AlertDesk(_dispatcher(config), _ledger(config))


def _dispatcher(config: Config) -> Dispatcher:
    routes = [
        Route(
            receiver=route.receiver,
            match=route.match,
            group_by=route.group_by,
            group_wait=route.group_wait_seconds,
            group_interval=route.group_interval_seconds,
            repeat_interval=route.repeat_interval_seconds,
        )
        for route in config.alerts.routes
    ]
    return Dispatcher(routes, config.alerts.keep_resolved_seconds)


def _ledger(config: Config) -> Ledger:
    throttle = config.throttle
    policies = [
        Policy(
            kind=policy.kind,
            line=policy.line,
            scope=policy.scope,
            action=policy.action,
            mode=policy.mode,
            params=policy.params,
            expires=policy.expires_seconds,
            escalate=policy.escalate_seconds,
            widest=policy.widest,
        )
        for policy in throttle.policies
    ]
    return Ledger(
        policies,
        hold=throttle.hold_seconds,
        cool_down=throttle.cool_down_seconds,
        tombstone=throttle.tombstone_seconds,
        most=throttle.max_live,
        critical=throttle.critical_tenants,
        enabled=throttle.enabled,
    )


def receivers_of(config: Config) -> dict[str, Receiver]:
    """Build the receivers by name."""
    return {receiver.name: _receiver(receiver, config) for receiver in config.alerts.receivers}


def _receiver(receiver: ReceiverConfig, config: Config) -> Receiver:
    if receiver.type == "console":
        return ConsoleReceiver(sys.stdout)
    slack = config.slack
    return SlackReceiver(
        slack.token.get_secret_value(), receiver.channel, base_url=slack.base_url, timeout=slack.timeout_seconds
    )


def alert_of(anomaly: Anomaly) -> Alert:
    """Hand an anomaly over to the alert side."""
    scope = anomaly.scope
    labels: dict[Label, str] = {
        "tenant": anomaly.tenant,
        "use_case": scope.use_case,
        "agent": scope.agent,
        "model": scope.model,
        "session": scope.session,
        "tool": scope.tool,
        "kind": anomaly.kind,
        "severity": anomaly.severity,
        "line": anomaly.line,
    }
    return Alert(
        id=anomaly.id,
        state=anomaly.state,
        severity=anomaly.severity,
        labels={name: value for name, value in labels.items() if value},
        detector=anomaly.detector,
        opened_at=anomaly.opened_at,
        updated_at=anomaly.updated_at,
        closed_at=anomaly.closed_at,
        observed=anomaly.observed,
        expected=anomaly.expected,
        usd_excess=anomaly.usd_excess,
        usd_per_hour=anomaly.usd_per_hour,
        reason=anomaly.reason,
    )
