"""How every client of Kafka is told where it is and who asks: plaintext, TLS, SASL."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownTopicOrPartitionError
from aiokafka.helpers import create_ssl_context

from streamer.config import KafkaConfig
from streamer.errors import ConfigInvalid, KafkaUnreachable

# A raw record may carry a gateway's batch of 512 payloads of 15 KB.
MOST_REQUEST_BYTES = 16 << 20
# A batch carries about this much; a larger record is a batch of its own. Brokers refuse more than 1 MB by default.
_BATCH_BYTES = 512 << 10
# Until the end of a transaction is written everywhere, the next is told to wait: aiokafka's 100 ms are too long.
_RETRY_MS = 20
# aiokafka makes up for a look-up that failed with the next one only, by itself after five minutes.
LOOK_UP_MS = 5000


def aiokafka_settings(kafka: KafkaConfig) -> dict[str, Any]:
    """Give the keyword arguments that aiokafka's producer, consumer and admin client share."""
    settings: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "security_protocol": kafka.security_protocol}
    if "SSL" in kafka.security_protocol:
        settings["ssl_context"] = ssl_context(kafka)
    if "SASL" in kafka.security_protocol:
        settings |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.sasl_username,
            "sasl_plain_password": kafka.sasl_password.get_secret_value(),
        }
    return settings


def producer_of(kafka: KafkaConfig) -> AIOKafkaProducer:
    """Make a producer that loses nothing: every replica has a record before it counts as sent.

    Without idempotence (for brokers that know none, as the embedded one) a retry may repeat a record.
    """
    return AIOKafkaProducer(
        **aiokafka_settings(kafka),
        acks="all",
        enable_idempotence=kafka.idempotence,
        linger_ms=5,
        metadata_max_age_ms=LOOK_UP_MS,
        max_request_size=MOST_REQUEST_BYTES,
    )


def writer_of(kafka: KafkaConfig, transactional_id: str | None) -> AIOKafkaProducer:
    """Make a producer for batches made elsewhere; with an id its writes are transactions, and it fences its namesakes.

    What a dead worker has left open hides all that is written behind it, so its transactions end with its session.
    """
    return AIOKafkaProducer(
        **aiokafka_settings(kafka),
        acks="all",
        enable_idempotence=kafka.idempotence,
        transactional_id=transactional_id,
        transaction_timeout_ms=round(kafka.session_timeout_seconds * 1000),
        retry_backoff_ms=_RETRY_MS,
        metadata_max_age_ms=LOOK_UP_MS,
        max_batch_size=_BATCH_BYTES,
        max_request_size=MOST_REQUEST_BYTES,
    )


@asynccontextmanager
async def writing(kafka: KafkaConfig) -> AsyncIterator[AIOKafkaProducer]:
    """Start a producer for batches made elsewhere, and keep it while the context lasts. Raises KafkaUnreachable.

    Left to itself aiokafka would ask for ever for the number that makes its writes idempotent.
    """
    producer = writer_of(kafka, None)
    try:
        async with asyncio.timeout(kafka.connect_seconds):
            await producer.start()
    except (KafkaError, TimeoutError) as error:
        await producer.stop()
        hint = " (without idempotent producers, as old and small ones are: kafka.idempotence = false)"
        said = f"{type(error).__name__}{hint if kafka.idempotence else ''}"
        raise KafkaUnreachable(f"the brokers at {kafka.bootstrap} take no producer in: {said}") from None
    try:
        yield producer
    finally:
        await producer.stop()


def consumer_of(kafka: KafkaConfig, *topics: str, **settings: Any) -> AIOKafkaConsumer:
    """Make a consumer that sees what is committed only, and commits nothing by itself."""
    return AIOKafkaConsumer(
        *topics,
        **aiokafka_settings(kafka),
        isolation_level="read_committed",
        enable_auto_commit=False,
        **settings,
    )


def said(error: KafkaError, kafka: KafkaConfig) -> str:
    """Say in words why nothing can be read."""
    if isinstance(error, KafkaConnectionError):
        return f"no Kafka broker answers at {kafka.bootstrap}"
    return "there is no such topic" if isinstance(error, UnknownTopicOrPartitionError) else repr(error)


def ssl_context(kafka: KafkaConfig) -> ssl.SSLContext:
    """Give the context of TLS, with the files that the configuration names; raises ConfigInvalid."""
    files = {name: getattr(kafka, name) or None for name in ("ssl_cafile", "ssl_certfile", "ssl_keyfile")}
    try:
        context: ssl.SSLContext = create_ssl_context(
            **{name.removeprefix("ssl_"): file for name, file in files.items()}
        )
    except (OSError, ValueError) as error:  # neither says which file it was
        named = ", ".join(f"kafka.{name} = {file}" for name, file in files.items() if file)
        raise ConfigInvalid([f"{named}: not usable for TLS: {error}"]) from None
    return context
