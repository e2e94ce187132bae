"""Faust's app as Tidegate uses it: our transport, no files, no web server, and a step before it consumes."""

from collections.abc import Awaitable, Callable
from typing import Any

import faust
from yarl import URL

from streamer.config import KafkaConfig
from streamer.kafka.connection import ssl_context
from streamer.kafka.transport import RunTransport

# Faust ends its part for good when a restore takes longer than this.
_PATIENCE = 3600.0


class App(faust.App):
    """One consumer group's app: it assigns partitions and runs agents. It keeps no tables: runners hold the state."""

    kafka: KafkaConfig
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
            broker_request_timeout=_PATIENCE,
            stream_buffer_maxsize=16,
            stream_recovery_delay=0.1,
            stream_wait_empty=False,
            table_standby_replicas=0,
            topic_allow_declare=False,
            topic_disable_leader=True,
            web_enabled=False,
            autodiscover=False,
        )
        app.kafka = kafka
        app.transport = RunTransport(brokers, app)
        app.before_consuming = before_consuming
        return app

    def _create_directories(self) -> None:
        """Make none: all state is in Kafka, and the worker may run where nothing can be written."""

    async def on_start(self) -> None:
        """Start Faust's own parts after ours."""
        await self.before_consuming()
        await super().on_start()


def faust_credentials(kafka: KafkaConfig) -> Any:
    """Give Faust's form of the same, None for plaintext."""
    context = ssl_context(kafka) if "SSL" in kafka.security_protocol else None
    if "SASL" in kafka.security_protocol:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None
