"""Dead letters over a broker: listed by what people look for, and sent again once what was wrong is mended."""

from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest

from streamer.demo.broker import free_port
from streamer.events.rejected import Rejected
from streamer.kafka.dead_letters import dead_letter
from tests.brokers import Broker
from tests.brokers.apache import ApacheKafka
from tests.integration.deployment import Deployment
from tests.integration.events import record, usage
from tests.streamer.kafka.fakes import Fake

pytestmark = pytest.mark.integration
NOW = 1_790_000_000.0


def ownerless(number: int) -> dict[str, Any]:
    """A CloudEvent that names no tenant, with somebody's words in it."""
    data = {name: value for name, value in usage(number).items() if name not in ("tenant", "id", "time", "source")}
    return {
        "specversion": "1.0",
        "type": "usage",
        "source": "s",
        "id": f"c-{number}",
        "time": usage(number)["time"],
        "data": data | {"messages": ["secret words"]},
    }


@pytest.fixture
def deployment(apache_broker: ApacheKafka, tmp_path: Path) -> Deployment:
    """On Apache Kafka: the embedded broker does not know where a topic ends."""
    return Deployment(Broker("apache", apache_broker.bootstrap), tmp_path, KAFKA__PARTITIONS="1")


def test_what_was_rejected_is_counted_once_the_configuration_is_mended(deployment: Deployment) -> None:
    """A default tenant was missing; the source still has the records, so their words do not matter."""
    topics = deployment.topics
    with deployment.running("worker"):
        deployment.produce(topics.raw, [("k", orjson.dumps([ownerless(1), usage(2), ownerless(3)]))])
        deployment.consume_until(lambda found: len(found[topics.dead_letters]) == 2, topics.dead_letters)
    listed = deployment.command("dead-letters", "list", "--reason", "missing_tenant")
    assert [line.split("  ")[2] for line in listed.stdout.splitlines()] == ["missing_tenant"] * 2
    assert "secret" not in listed.stdout
    counted = deployment.command("dead-letters", "list", "--counts", "--topic", "raw").stdout.split()
    assert counted == ["2", topics.raw, "missing_tenant"]
    tried = deployment.command("dead-letters", "replay", "--dry-run")
    assert (tried.stdout, tried.returncode) == ("2 can be sent again, 0 cannot be\n", 0)
    assert deployment.command("dead-letters", "replay", "--most", "2").stdout == "2 were sent again, 0 cannot be\n"
    with deployment.running("worker", EVENTS__DEFAULT_TENANT="acme"):
        found = deployment.consume_until(lambda found: len(found[topics.usage]) == 3, topics.usage)
    assert {event["id"]: event["tenant"] for event in found[topics.usage]} == {
        "c-1": "acme",
        "event-2": "tenant-2",
        "c-3": "acme",
    }


def test_what_the_source_has_no_more_is_sent_from_the_letter_where_that_has_it_all(deployment: Deployment) -> None:
    topics = deployment.topics
    gone = [
        Fake(orjson.dumps(usage(1)), topics.raw, 5000),
        Fake(orjson.dumps({**usage(2), "messages": ["secret words"]}), topics.raw, 5001),
        Fake(orjson.dumps(usage(3)), topics.acks, 0),
    ]
    assert deployment.command("dead-letters", "list").stdout == ""
    letters = [dead_letter(topics.dead_letters, record, Rejected("wrong_type", "why"), NOW) for record in gone]
    deployment.produce(topics.dead_letters, [("k", letter.value or b"") for letter in letters] + [("k", b"no letter")])
    done = deployment.command("dead-letters", "replay")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1 were sent again, 2 cannot be\n"
    lines = [line for line in done.stderr.splitlines() if line.startswith("t")]
    assert "were removed from the letter" in lines[0]
    assert "only usage and feedback" in lines[1]
    assert "no dead letter" in done.stderr
    found = deployment.consume_until(lambda found: bool(found[topics.raw]), topics.raw)
    assert [event["id"] for event in found[topics.raw]] == ["event-1"]
    json = deployment.command("dead-letters", "list", "--json", "--most", "1")
    assert msgspec.json.decode(json.stdout.splitlines()[0])["topic"] == topics.acks
    assert "3 in all" in json.stderr


def test_a_topic_of_apache_kafka_is_replayed_to_its_end(deployment: Deployment, tmp_path: Path) -> None:
    """`kafka://` as a source, with all partitions up to where they end."""
    topics = deployment.topics
    deployment.command("dead-letters", "list")
    deployment.produce(topics.usage, [record(usage(number)) for number in range(20)])
    done = deployment.command(
        "replay", f"kafka://{deployment.bootstrap}/{topics.usage}", "--out", str(tmp_path / "out")
    )
    assert done.stdout.startswith("20 events"), done.stderr
    missing = deployment.command("replay", f"kafka://{deployment.bootstrap}/no-such-topic", "--out", str(tmp_path))
    assert (missing.returncode, "there is no such topic" in missing.stderr) == (1, True)


def test_letters_are_read_while_one_of_several_brokers_is_away(embedded_broker: str, tmp_path: Path) -> None:
    brokers = f"127.0.0.1:{free_port()},{embedded_broker}"
    done = Deployment(Broker("embedded", brokers), tmp_path).command("dead-letters", "list")
    assert (done.returncode, "no dead letters" in done.stderr) == (0, True)


def test_trying_writes_nothing_and_who_cannot_write_is_told_why(embedded_broker: str, tmp_path: Path) -> None:
    """The embedded broker takes no idempotent producer in, as small ones do not."""
    here = Deployment(Broker("embedded", embedded_broker), tmp_path, KAFKA__IDEMPOTENCE="true")
    tried = here.command("dead-letters", "replay", "--dry-run")
    assert (tried.stdout, tried.returncode) == ("0 can be sent again, 0 cannot be\n", 0)
    for command in (("dead-letters", "replay"), ("feedback", "mute", "--tenant", "acme"), ("page",)):
        refused = here.command(*command)
        assert refused.returncode == 1
        assert "kafka.idempotence = false" in refused.stderr
        assert "Traceback" not in refused.stderr
