"""Runs `tidegate`, but it freezes itself just before it commits the seventh transaction of its meters."""

import os
import signal
from itertools import count

from aiokafka import AIOKafkaProducer

from streamer.cli import main

_commit = AIOKafkaProducer.commit_transaction
_commits = count(1)


async def _freezing(producer: AIOKafkaProducer) -> None:
    if "-meter-" in producer._txn_manager.transactional_id and next(_commits) == 7:
        os.kill(os.getpid(), signal.SIGSTOP)
    await _commit(producer)


AIOKafkaProducer.commit_transaction = _freezing
main()
