"""Every client of Kafka is told the same of TLS and SASL, and nobody else is told the password."""

import ssl
from pathlib import Path
from typing import Any

import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from streamer.config import Config, EventsConfig, KafkaConfig
from streamer.errors import ConfigInvalid
from streamer.kafka import connection
from streamer.kafka.app import faust_credentials
from streamer.kafka.connection import aiokafka_settings, producer_of

PASSWORD = "pa55word-of-nobody"
# A self-signed authority, made for this test; its key was thrown away.
AUTHORITY = """-----BEGIN CERTIFICATE-----
MIIBhTCCASugAwIBAgIUb6dXTh5vpZ7Q19ROGkCSEItdM1AwCgYIKoZIzj0EAwIw
GDEWMBQGA1UEAwwNdGlkZWdhdGUtdGVzdDAeFw0yNjExMjIwNDAyNDVaFw00NjEx
MTcwNDAyNDVaMBgxFjAUBgNVBAMMDXRpZGVnYXRlLXRlc3QwWTATBgcqhkjOPQIB
BggqhkjOPQMBBwNCAATPkAsXX/tMMjJOKC/SjBMbrnruc27tRdoXk896sA15tEbC
OeJ0T4gvD48MgPbbPs7D3Iec1U45nerXGHj/u9k5o1MwUTAdBgNVHQ4EFgQUaHQi
ZNGGTsZtvWXp783ABn0lVoUwHwYDVR0jBBgwFoAUaHQiZNGGTsZtvWXp783ABn0l
VoUwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAbzpQ/CjsAPEsv
h7qTPp6stnqPt0yUMntj4ZwWh4HdvQIhAI50dkWhOdx4gpZlk6So+wfYpUCTopOX
0PEl+qVn04H0
-----END CERTIFICATE-----
"""
PROTOCOLS = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text(AUTHORITY)
    return path


def kafka(protocol: str, **fields: Any) -> KafkaConfig:
    known = {"sasl_mechanism": "SCRAM-SHA-512", "sasl_username": "tidegate", "sasl_password": PASSWORD}
    return KafkaConfig.model_validate({"security_protocol": protocol, **known, **fields})


def as_faust_sees_it(config: KafkaConfig) -> dict[str, Any]:
    return dict(credentials_to_aiokafka_auth(faust_credentials(config)))


def test_plaintext_needs_nothing() -> None:
    config = KafkaConfig(bootstrap="a:1,b:2")
    assert aiokafka_settings(config) == {"bootstrap_servers": "a:1,b:2", "security_protocol": "PLAINTEXT"}
    assert faust_credentials(config) is None


def test_a_file_of_tls_that_cannot_be_used_is_named(authority: Path, tmp_path: Path) -> None:
    for settings in ({"ssl_cafile": str(tmp_path / "gone.pem")}, {"ssl_certfile": str(authority), "ssl_keyfile": "/k"}):
        with pytest.raises(ConfigInvalid) as told:
            aiokafka_settings(kafka("SSL", **settings))
        assert all(f"kafka.{name} = {file}" in str(told.value) for name, file in settings.items())


def test_sasl_reaches_aiokafka_and_faust() -> None:
    expected = {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "tidegate",
        "sasl_plain_password": PASSWORD,
    }
    config = kafka("SASL_PLAINTEXT")
    assert expected.items() <= aiokafka_settings(config).items()
    assert as_faust_sees_it(config) == {**expected, "ssl_context": None}


@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_every_mechanism_that_the_configuration_knows_is_known_to_both(mechanism: str) -> None:
    config = kafka("SASL_PLAINTEXT", sasl_mechanism=mechanism)
    assert aiokafka_settings(config)["sasl_mechanism"] == mechanism
    assert as_faust_sees_it(config)["sasl_mechanism"] == mechanism


@pytest.mark.parametrize("protocol", ["SSL", "SASL_SSL"])
def test_tls_trusts_the_given_authority_alone_and_checks_names(protocol: str, authority: Path) -> None:
    config = kafka(protocol, ssl_cafile=str(authority))
    for settings in (aiokafka_settings(config), as_faust_sees_it(config)):
        context = settings["ssl_context"]
        assert settings["security_protocol"] == protocol
        assert context.verify_mode == ssl.CERT_REQUIRED
        assert context.check_hostname
        assert [dict(found["subject"][0])["commonName"] for found in context.get_ca_certs()] == ["tidegate-test"]


def test_without_an_authority_the_systems_are_trusted() -> None:
    context = aiokafka_settings(kafka("SSL"))["ssl_context"]
    assert context.verify_mode == ssl.CERT_REQUIRED


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_sasl_is_said_only_where_it_is_asked_for(protocol: str) -> None:
    config = kafka(protocol)
    assert ("sasl_plain_password" in aiokafka_settings(config)) == protocol.startswith("SASL")
    assert ("sasl_plain_password" in as_faust_sees_it(config)) == protocol.startswith("SASL")
    assert as_faust_sees_it(config)["security_protocol"] == protocol


def test_the_password_is_never_shown() -> None:
    config = Config(kafka=kafka("SASL_PLAINTEXT"))
    shown = [repr(config), str(config.kafka), repr(faust_credentials(config.kafka)), config.model_dump_json()]
    assert not [text for text in shown if PASSWORD in text]


@pytest.mark.parametrize("idempotence", [True, False])
def test_a_producer_waits_for_all_replicas(idempotence: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "AIOKafkaProducer", dict)
    settings = dict(producer_of(KafkaConfig(idempotence=idempotence)))
    assert (settings["acks"], settings["enable_idempotence"]) == ("all", idempotence)
    assert settings["max_request_size"] > EventsConfig().max_record_bytes
