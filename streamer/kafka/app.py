"""Faust's app as Tidegate uses it: our transport, no files, no web server, and a step before it consumes."""

from collections.abc import Awaitable, Callable

import faust
from yarl import URL

from streamer.config import KafkaConfig
from streamer.kafka.connection import faust_credentials
from streamer.kafka.transport import RunTransport


class App(faust.App):
    """One consumer group's app: it assigns partitions, recovers tables and runs agents."""

    before_consuming: Callable[[], Awaitable[None]]

    @classmethod
    def of(cls, kafka: KafkaConfig, before_consuming: Callable[[], Awaitable[None]]) -> "App":
        """Make the app of one worker; `before_consuming` runs when it starts, before Faust's own parts."""
        brokers = [URL(f"kafka://{address.strip()}") for address in kafka.bootstrap.split(",")]
        app = cls(
            kafka.group,
            broker=brokers,
            broker_credentials=faust_credentials(kafka),
            broker_session_timeout=kafka.session_timeout_seconds,
            broker_heartbeat_interval=kafka.session_timeout_seconds / 10,
            broker_rebalance_timeout=kafka.rebalance_timeout_seconds,
            broker_request_timeout=max(90.0, kafka.session_timeout_seconds + 10),
            broker_max_poll_records=2000,
            consumer_auto_offset_reset="earliest",
            stream_buffer_maxsize=16,
            stream_recovery_delay=0.1,
            stream_wait_empty=False,
            store="memory://",
            table_standby_replicas=0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            autodiscover=False,
        )
        app.transport = RunTransport(brokers, app)
        app.before_consuming = before_consuming
        return app

    def _create_directories(self) -> None:
        """Make none: all state is in Kafka, and the worker may run where nothing can be written."""

    async def on_start(self) -> None:
        """Start Faust's own parts after ours."""
        await self.before_consuming()
        await super().on_start()
