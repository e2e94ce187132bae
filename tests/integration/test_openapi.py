"""The front door's OpenAPI document is what the process keeps to: Schemathesis makes requests of it, and judges."""

import urllib.request
from pathlib import Path

import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

from streamer.ingest import openapi, tokens
from tests.brokers import Broker
from tests.integration.deployment import Deployment, Process

pytestmark = pytest.mark.integration
JUDGED = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.negative_data_rejection,
]


def judge(door: Process, path: str, mode: GenerationMode, examples: int, token: str) -> int:
    """Send requests made of the document; gives how many were taken."""
    schema = schemathesis.openapi.from_url(f"{door.url}/openapi.json")
    taken = 0

    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[path]["POST"].as_strategy(generation_mode=mode))
    def one(case: schemathesis.Case) -> None:
        nonlocal taken
        answer = case.call(headers={"Authorization": f"Bearer {token}"})
        case.validate_response(answer, checks=JUDGED)
        taken += answer.status_code < 300

    one()
    return taken


def test_what_the_document_says_is_what_the_process_does(embedded_broker: str, tmp_path: Path) -> None:
    token, kept = tokens.new(["*"])
    deployment = Deployment(Broker("embedded", embedded_broker), tmp_path)
    settings = {"INGEST__TOKENS": orjson.dumps([kept.model_dump()]).decode(), "EVENTS__DEFAULT_TENANT": "acme"}
    with deployment.running("ingest", **settings) as door:
        with urllib.request.urlopen(f"{door.url}/openapi.json") as answer:
            assert orjson.loads(answer.read()) == openapi.document()
        assert judge(door, "/v1/events", GenerationMode.POSITIVE, 30, token) > 0
        assert judge(door, "/v1/events", GenerationMode.NEGATIVE, 30, token) == 0
        assert judge(door, "/v1/traces", GenerationMode.POSITIVE, 30, token) > 0
        judge(door, "/v1/firehose", GenerationMode.POSITIVE, 30, token)
        assert door.metric("tidegate_ingest_requests_total") >= 50
        assert token not in door.log
