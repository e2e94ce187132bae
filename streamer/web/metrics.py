"""Every metric of Tidegate, declared once: the reference in docs/metrics.md is made of these words."""

from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Declared(NamedTuple):
    """A metric as Prometheus sees it: its name, its kind, its labels, and what it means."""

    name: str
    kind: str
    labels: tuple[str, ...]
    about: str


class Metrics:
    """The metrics of one process, in a registry of their own; `declared` lists them in the order of the reference."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.declared: list[Declared] = []
        self.events = self._counter(
            "tidegate_events",
            "usage events: `counted`; of these `late` (counted, not judged) and `unpriced` (no known price); "
            "`duplicate` (dropped); `folded` (a session over the cap, counted as `other`); `forgotten` (ids of "
            "events forgotten early, beyond `events.max_ids`); at the front door `ingested`",
            "outcome",
        )
        self.rejected = self._counter(
            "tidegate_rejected",
            "records and items that are no usage event; the reasons are those of the dead letters, and at the "
            "front door `forbidden_tenant` (not one of the token's)",
            "reason",
        )
        self.skipped = self._counter(
            "tidegate_skipped",
            "items that are neither usage nor a mistake: `no_usage` (a span about no model and no tool, a bucket "
            "without results), `repeated` (a span whose call another span of the batch counts), `told_elsewhere` "
            "(a span of a call that another source tells of: `events.told_elsewhere`)",
            "cause",
        )
        self.anomalies = self._counter(
            "tidegate_anomalies",
            "anomalies opened",
            "kind",
        )
        self.feedback = self._counter(
            "tidegate_feedback",
            "people's feedback: `applied`; `repeated` (dropped); `unknown` (what it names was not told of lately,"
            " or nobody knows the incident or tenant); `ignored` (not for the detectors, or a plan or mute that "
            "was over before it came); of `throttle` and `release` also `refused` (by a guard rail)",
            "verdict",
            "outcome",
        )
        self.commands = self._counter(
            "tidegate_commands",
            "throttle commands written, renewals and releases too",
            "action",
            "mode",
        )
        self.commands_refused = self._counter(
            "tidegate_commands_refused",
            "throttle commands that the guard rails kept from being issued: `too_many` (over "
            "`throttle.max_live`), `off` (a person's, while throttling is off)",
            "why",
        )
        self.acks = self._counter(
            "tidegate_acks",
            "gateways' words on commands: `applied`, `refused`, `released`; `unknown` (on a command that is not "
            "in force, any more or at all)",
            "state",
        )
        self.admissions = self._counter(
            "tidegate_decisions",
            "at a gateway, decisions on requests: `allow`, `limit`, `downgrade`, `cap`, `block`, `pause`, "
            "`outage` (refused for want of news)",
            "verdict",
        )
        self.outage = self._gauge(
            "tidegate_gateway_outage",
            "at a gateway, 1 while it has not read the throttle topic, or has had no news of Kafka for "
            "`gateway.outage_seconds`",
        )
        self.usage_sent = self._counter(
            "tidegate_gateway_usage",
            "usage that a gateway's plug-in was given: `sent`; `dropped` (more waits than fits, or it is what "
            "nobody takes)",
            "outcome",
        )
        self.notifications = self._counter(
            "tidegate_notifications",
            "`delivered`, `failed` (will be tried again), `refused` (for good; went to the fallback, or to the "
            "log of last resort)",
            "receiver",
            "result",
        )
        self.decisions = self._counter(
            "tidegate_notification_decisions",
            "why incidents were notified or not (see docs/routing.md); a reason that goes on is counted once",
            "reason",
        )
        self.receivers_failing = self._gauge(
            "tidegate_receiver_failing",
            "1 while a receiver takes nothing",
            "receiver",
        )
        self.notifications_held = self._gauge(
            "tidegate_notifications_held",
            "notifications that are due and wait, because so many are under way to the receiver, or because it fails",
            "receiver",
        )
        self.answers = self._counter(
            "tidegate_answers",
            "buttons pressed in Slack: `taken`; `repeated` (a double click, or Slack's own repeat); `asked` (a "
            "dialog was opened, for a date); `over` (the incident is over or forgotten); `unusable` (no button of"
            " ours); `failed` (not kept; Slack tells who pressed)",
            "outcome",
        )
        self.incidents_open = self._gauge(
            "tidegate_incidents_open",
            "incidents that are not over",
        )
        self.commands_live = self._gauge(
            "tidegate_commands_live",
            "throttle commands in force",
        )
        self.lag = self._gauge(
            "tidegate_lag_records",
            "records that have arrived and are not yet applied",
            "topic",
            "partition",
        )
        self.ready = self._gauge(
            "tidegate_ready",
            "1 while the worker has its partitions and their state",
        )
        self.rewinds = self._counter(
            "tidegate_rewinds",
            "times that records were fetched again, because some had been lost on the way",
        )
        self.topic_changes = self._counter(
            "tidegate_topic_changes",
            "a source topic is not what it was, a partition each: `recreated` (read from its beginning; ids seen "
            "are kept), `out_of_range` (it does not hold the offset to go on at: made anew, or records expired; "
            "read from its beginning), `repartitioned` (keys may be in other partitions than their state)",
            "topic",
            "what",
        )
        self.lost = self._counter(
            "tidegate_lost_partitions",
            "partitions dropped with what was not saved, because another worker has them or a checkpoint failed; "
            "they come back with their last checkpoint",
        )
        self.discarded = self._counter(
            "tidegate_discarded_transactions",
            "transactions of an owner before, which the broker had left without an end; they were discarded and "
            "their records applied again",
        )
        self.checkpoints = self._histogram(
            "tidegate_checkpoint_seconds",
            "from a checkpoint's snapshot to its commit",
        )
        self.requests = self._counter(
            "tidegate_ingest_requests",
            "requests to `/v1/events`, `/v1/traces` and `/v1/firehose`; the status is that of `/v1/events`, "
            "which OTLP and Firehose are told in their own words (202 as 200)",
            "status",
        )
        self.page_lookers = self._gauge(
            "tidegate_page_lookers",
            "live pages that are open",
        )
        self.page_series = self._gauge(
            "tidegate_page_series",
            "tenants, use cases, agents and models that the page can show",
        )
        self.page_actions = self._counter(
            "tidegate_page_actions",
            "what people did on the page: `written` to the feedback topic, `refused`, `failed` (Kafka did not take it)",
            "verdict",
            "outcome",
        )

    def without_incidents(self) -> None:
        """Tell nothing of incidents, commands and receivers: another worker has them, and tells."""
        self.incidents_open.set(0)
        self.commands_live.set(0)
        self.receivers_failing.clear()
        self.notifications_held.clear()

    def _counter(self, name: str, about: str, *labels: str) -> Counter:
        self.declared.append(Declared(f"{name}_total", "counter", labels, about))
        return Counter(name, about, labels, registry=self.registry)

    def _gauge(self, name: str, about: str, *labels: str) -> Gauge:
        self.declared.append(Declared(name, "gauge", labels, about))
        return Gauge(name, about, labels, registry=self.registry)

    def _histogram(self, name: str, about: str, *labels: str) -> Histogram:
        self.declared.append(Declared(name, "histogram", labels, about))
        return Histogram(name, about, labels, registry=self.registry)
