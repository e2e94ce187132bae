"""The command that archives a topic: what it says where there is nothing to read."""

import logging
from pathlib import Path

import pytest

from streamer.archive.command import run
from streamer.clock import wall
from streamer.config import Config, KafkaConfig
from streamer.demo.broker import free_port
from streamer.errors import KafkaUnreachable


def test_where_no_broker_answers_that_is_said_in_words_and_nothing_is_left_open(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    nobody = f"127.0.0.1:{free_port()}"
    config = Config(kafka=KafkaConfig(bootstrap=nobody))
    with caplog.at_level(logging.ERROR), pytest.raises(KafkaUnreachable, match=f"no Kafka broker answers at {nobody}$"):
        run(config, "usage", tmp_path / "archive", once=True, every=300.0, clock=wall)
    assert "Unclosed" not in caplog.text
