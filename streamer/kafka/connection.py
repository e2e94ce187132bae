"""How every client of Kafka is told where it is and who asks: plaintext, TLS, SASL."""

import ssl
from typing import Any

import faust
from aiokafka import AIOKafkaProducer
from aiokafka.helpers import create_ssl_context

from streamer.config import KafkaConfig

# A raw record may carry a gateway's batch of 512 payloads of 15 KB.
MOST_REQUEST_BYTES = 16 << 20


def aiokafka_settings(kafka: KafkaConfig) -> dict[str, Any]:
    """Give the keyword arguments that aiokafka's producer, consumer and admin client share."""
    settings: dict[str, Any] = {"bootstrap_servers": kafka.bootstrap, "security_protocol": kafka.security_protocol}
    if "SSL" in kafka.security_protocol:
        settings["ssl_context"] = _ssl_context(kafka)
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
        max_request_size=MOST_REQUEST_BYTES,
    )


def faust_credentials(kafka: KafkaConfig) -> Any:
    """Give Faust's form of the same, None for plaintext."""
    context = _ssl_context(kafka) if "SSL" in kafka.security_protocol else None
    if "SASL" in kafka.security_protocol:
        return faust.SASLCredentials(
            username=kafka.sasl_username,
            password=kafka.sasl_password.get_secret_value(),
            mechanism=kafka.sasl_mechanism,
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if context else None


def _ssl_context(kafka: KafkaConfig) -> ssl.SSLContext:
    context: ssl.SSLContext = create_ssl_context(
        cafile=kafka.ssl_cafile or None, certfile=kafka.ssl_certfile or None, keyfile=kafka.ssl_keyfile or None
    )
    return context
