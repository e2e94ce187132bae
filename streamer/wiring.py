"""Builds decoder and desk from the configuration, and hands what is said over from one package to the other."""

from urllib.parse import unquote

import msgspec

from alerts.alert import LABELS, TAG, Alert, Cause, Label
from alerts.desk import AlertDesk
from alerts.throttle.ledger import Ledger
from alerts.throttle.policy import Policy
from alerts.word import Word
from streamer.config import Config
from streamer.config.mapping import names_by_format
from streamer.events.decoder import Decoder
from streamer.feedback import Feedback, spoken
from streamer.pricing.agreed import Rates
from streamer.records import Anomaly, Scope
from streamer.routing import dispatcher_of


def decoder_of(config: Config, *, feedback: bool = False, owner: str = "") -> Decoder:
    """Build the decoder, of usage events alone or of people's feedback among them.

    `owner` is the tenant of events whose format knows none, in place of the configuration's.
    """
    events = config.events
    return Decoder(
        max_record_bytes=events.max_record_bytes,
        max_future_seconds=events.max_future_seconds,
        default_tenant=owner or events.default_tenant,
        hash_key=events.hash_key.get_secret_value(),
        names=names_by_format(events.mapping),
        rate=Rates(config.pricing.exchange_rates).usd,
        told_elsewhere=frozenset(events.told_elsewhere),
        remote_agents=frozenset(events.remote_agents),
        feedback=feedback,
    )


def desk_of(config: Config) -> AlertDesk:
    """Build the desk, with its dispatcher and ledger."""
    return AlertDesk(dispatcher_of(config.alerts), _ledger(config), config.alerts.mute_seconds)


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


def word_of(feedback: Feedback) -> Word:
    """Hand a person's word over to the alert side."""
    # An incident or an anomaly says more than its series.
    series = "" if feedback.incident or feedback.anomaly else feedback.series
    named = {"tenant": feedback.tenant, **_labels(feedback.scope)}
    return Word(
        id=feedback.id,
        at=feedback.time,
        verdict=feedback.verdict,
        by=feedback.by,
        text=spoken(feedback),
        incident=feedback.incident,
        anomaly=feedback.anomaly,
        # What is not named takes nothing from what its series says.
        scope={**_labels_of_series(series), **{name: value for name, value in named.items() if value}},
        until=feedback.until.timestamp() if feedback.until else None,
    )


def _labels(scope: Scope) -> dict[Label, str]:
    return msgspec.structs.asdict(scope)


def _labels_of_series(series: str) -> dict[Label, str]:
    """Read the entity that a series' name spells."""
    # Names may have the mark, too: what it is a series of stands behind the last.
    entity = series.rpartition("#")[0] or series
    parts = (part.partition("=") for part in entity.split("/"))
    return {name: unquote(value) for name, _, value in parts if name in LABELS}


def alert_of(anomaly: Anomaly) -> Alert:
    """Hand an anomaly over to the alert side."""
    labels: dict[Label, str] = {
        "tenant": anomaly.tenant,
        **_labels(anomaly.scope),
        "kind": anomaly.kind,
        "severity": anomaly.severity,
        "line": anomaly.line,
        **{f"{TAG}{name}": value for name, value in (anomaly.tags or {}).items()},
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
        series=anomaly.series,
        seconds=anomaly.seconds,
        ceiling=anomaly.ceiling,
        causes=tuple(Cause(cause.level, cause.name, cause.share) for cause in anomaly.causes),
    )
