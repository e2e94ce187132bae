"""The front door beside a bare aiohttp handler, a process each, over the same requests: `python -m benchmarks.door`.

The bare handler reads a body and answers; the door decodes, checks a token, has Apache Kafka acknowledge, and answers.
Both are measured in turns, at the CPU time of their process: on a machine that is busy with other things it means the
same.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence

import msgspec

from benchmarks import cpu, processes, results
from benchmarks.pipeline import records
from streamer.clock import utc
from streamer.demo.broker import free_port
from streamer.ingest import tokens

_CONNECTIONS = 64
_ROUNDS = 3
# Requests of a round, by the events in each.
_REQUESTS = {1: 10_000, 100: 1_000}


def bodies(events: int, count: int) -> list[bytes]:
    """Give bodies of so many events each, as of now."""
    now = utc(time.time()).isoformat().replace("+00:00", "Z")
    lines = [msgspec.json.encode({**msgspec.json.decode(line), "time": now}) for line in records()[: events * 50]]
    made = [b"[" + b",".join(lines[start : start + events]) + b"]" for start in range(0, len(lines), events)]
    return [made[number % len(made)] for number in range(count)]


async def _connection(port: int, requests: Sequence[bytes]) -> None:
    """Send requests one after the other, as a client that waits for each answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        await reader.readexactly(length)
    writer.close()


async def _round(port: int, token: str, given: Sequence[bytes]) -> float:
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {token}\r\nContent-Length: "
    ).encode()
    requests = [head + b"%d\r\n\r\n" % len(body) + body for body in given]
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, requests[start::_CONNECTIONS]) for start in range(_CONNECTIONS)))
    return time.perf_counter() - began


def _measured(process: processes.Process, port: int, token: str, events: int) -> tuple[float, float]:
    """Events a second of CPU, and of the clock, in the best round."""
    given = bodies(events, _REQUESTS[events])
    before = cpu.seconds(process.pid)
    clock = asyncio.run(_round(port, token, given))
    used = cpu.seconds(process.pid) - before
    return len(given) * events / used, len(given) * events / clock


def measure(bootstrap: str) -> None:
    """Measure both, and keep the figures; `_per_cpu_second` are those of one core of its own."""
    token, kept = tokens.new(["*"])
    figures: dict[str, float] = {}
    with (
        processes.served("benchmarks.door", free_port()) as (bare, bare_port),
        processes.door(bootstrap, "door.", json.dumps([kept.model_dump()])) as (door, port),
    ):
        for events in _REQUESTS:
            best = dict.fromkeys(("bare", "door"), (0.0, 0.0))
            for _ in range(_ROUNDS):
                for name, process, at in (("bare", bare, bare_port), ("door", door, port)):
                    best[name] = max(best[name], _measured(process, at, token, events))
            for name, (per_cpu, per_clock) in best.items():
                figures[f"door.{name}.batch_{events}.events_per_cpu_second"] = per_cpu
                figures[f"door.{name}.batch_{events}.events_per_second"] = per_clock
            figures[f"door.batch_{events}.over_bare"] = best["door"][0] / best["bare"][0]
    results.keep(figures)


def serve(port: int) -> None:
    """Serve the bare handler."""
    from aiohttp import web  # noqa: PLC0415 - the side that measures has no need of it

    async def events(request: web.Request) -> web.Response:
        await request.read()
        return web.Response(status=202, body=b'{"accepted":1}', content_type="application/json")

    async def ready(_: web.Request) -> web.Response:
        return web.Response()

    app = web.Application(client_max_size=8 << 20)
    app.add_routes([web.post("/v1/events", events), web.get("/readyz", ready)])
    web.run_app(app, host="127.0.0.1", port=port, access_log=None, print=None)


def main() -> None:
    """Measure against a broker of its own, or serve the bare handler on the port that is given."""
    if len(sys.argv) > 1:
        serve(int(sys.argv[1]))
        return
    with processes.broker() as kafka:
        measure(kafka.bootstrap)


if __name__ == "__main__":
    main()
