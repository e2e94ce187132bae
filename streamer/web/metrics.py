"""Every metric of Tidegate, in one list; docs/metrics.md explains each."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        # What became of usage events: counted, duplicate, late (counted, not judged), unpriced, folded (into `other`).
        self.events = Counter("tidegate_events", "Usage events by what became of them", ["outcome"], registry=registry)
        # Records or items that are no usage event, by the reason that their dead letter names.
        self.rejected = Counter("tidegate_rejected", "Rejected records and items", ["reason"], registry=registry)
        # Items that are neither usage nor a mistake: no_usage, repeated (another span counts it), told_elsewhere.
        self.skipped = Counter("tidegate_skipped", "Items understood and left out", ["cause"], registry=registry)
        self.anomalies = Counter("tidegate_anomalies", "Anomalies opened", ["kind"], registry=registry)
        # What became of people's feedback: applied, repeated, unknown (what it names), ignored (not for the detectors).
        self.feedback = Counter(
            "tidegate_feedback", "Feedback by verdict and outcome", ["verdict", "outcome"], registry=registry
        )
        self.commands = Counter(
            "tidegate_commands",
            "Throttle commands issued, renewals and releases too",
            ["action", "mode"],
            registry=registry,
        )
        # What the guard rails kept from being issued: too_many live ones, or switched off.
        self.commands_refused = Counter(
            "tidegate_commands_refused", "Throttle commands not issued, by why", ["why"], registry=registry
        )
        # What gateways said: applied, refused, released; unknown is a word on a command that is not in force.
        self.acks = Counter("tidegate_acks", "Gateways' words on commands", ["state"], registry=registry)
        # A gateway's side: what it decided on requests, and whether it has heard from Kafka lately.
        self.admissions = Counter("tidegate_decisions", "Decisions on requests", ["verdict"], registry=registry)
        self.outage = Gauge("tidegate_gateway_outage", "1 while a gateway has no news of Kafka", registry=registry)
        self.usage_sent = Counter(
            "tidegate_gateway_usage", "Usage that a gateway's plug-in was given", ["outcome"], registry=registry
        )
        self.notifications = Counter(
            "tidegate_notifications", "Notifications by receiver and result", ["receiver", "result"], registry=registry
        )
        # Why an incident was notified, or not; a reason that goes on is counted once.
        self.decisions = Counter(
            "tidegate_notification_decisions", "Decisions to notify, or not, by reason", ["reason"], registry=registry
        )
        self.receivers_failing = Gauge(
            "tidegate_receiver_failing", "1 while a receiver takes nothing", ["receiver"], registry=registry
        )
        self.notifications_held = Gauge(
            "tidegate_notifications_held", "Notifications that are due and wait", ["receiver"], registry=registry
        )
        # What became of what people pressed in Slack: taken, repeated, over (the incident), unusable, failed.
        self.answers = Counter(
            "tidegate_answers", "Buttons pressed in Slack by outcome", ["outcome"], registry=registry
        )
        self.incidents_open = Gauge("tidegate_incidents_open", "Incidents that are not over", registry=registry)
        self.commands_live = Gauge("tidegate_commands_live", "Throttle commands in force", registry=registry)
        self.lag = Gauge("tidegate_lag_records", "Records not yet applied", ["topic", "partition"], registry=registry)
        self.ready = Gauge("tidegate_ready", "1 while the worker has its partitions and their state", registry=registry)
        self.rewinds = Counter(
            "tidegate_rewinds", "Times that records were fetched again, because some had been lost", registry=registry
        )
        # Under a source's name is not what was there: recreated, repartitioned, out_of_range (or its records expired).
        self.topic_changes = Counter(
            "tidegate_topic_changes", "Source topics that are not what they were", ["topic", "what"], registry=registry
        )
        self.lost = Counter(
            "tidegate_lost_partitions", "Partitions dropped, with what was not saved", registry=registry
        )
        self.discarded = Counter(
            "tidegate_discarded_transactions",
            "Transactions that the broker had left without an end, and that were discarded",
            registry=registry,
        )
        self.checkpoints = Histogram(
            "tidegate_checkpoint_seconds", "Time from a checkpoint's snapshot to its commit", registry=registry
        )
        self.requests = Counter("tidegate_ingest_requests", "HTTP requests by status", ["status"], registry=registry)
        self.page_lookers = Gauge("tidegate_page_lookers", "Live pages that are open", registry=registry)
        self.page_series = Gauge("tidegate_page_series", "Series that the page can show", registry=registry)
        # Of people's actions on the page: written, refused, failed (Kafka did not take it).
        self.page_actions = Counter(
            "tidegate_page_actions",
            "Actions on the page by verdict and outcome",
            ["verdict", "outcome"],
            registry=registry,
        )
