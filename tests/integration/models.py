"""A stand-in of what LiteLLM's proxy asks: OpenAI's and Anthropic's APIs and an MCP server, over real HTTP."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Body = dict[str, Any]
_OPENAI = {"prompt_tokens": 11, "completion_tokens": 2, "total_tokens": 13}
_NEW = {
    "input_tokens": 11,
    "output_tokens": 2,
    "total_tokens": 13,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens_details": {"reasoning_tokens": 0},
}
_ANTHROPIC = {"input_tokens": 11, "output_tokens": 2}


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    path: str
    body: Body

    @property
    def model(self) -> str:
        return str(self.body.get("model"))

    @property
    def tools(self) -> list[str]:
        """The names of the tools that the model may choose from."""
        tools = self.body.get("tools") or []
        return [tool.get("function", tool)["name"] for tool in tools]


class Models:
    """The running stand-in; `asked` is all that reached it, in its order."""

    def __init__(self, url: str) -> None:
        self.url, self.asked = url, list[Asked]()

    def of(self, said: str) -> list[Asked]:
        """What reached it of one conversation, found by words of its prompt."""
        return [asked for asked in self.asked if said in json.dumps(asked.body)]


def chat(body: Body) -> Body:
    message = {"role": "assistant", "content": "hello"}
    choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
    head = {"id": f"chatcmpl-{time.monotonic_ns()}", "object": "chat.completion", "created": int(time.time())}
    return {**head, "model": body["model"], "choices": choices, "usage": _OPENAI}


def chat_stream(body: Body) -> Iterator[tuple[str, Body]]:
    head = {**chat(body), "object": "chat.completion.chunk"}
    del head["usage"]
    for delta, end in (({"role": "assistant", "content": "hel"}, None), ({"content": "lo"}, None), ({}, "stop")):
        yield "", {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": end}]}
    if (body.get("stream_options") or {}).get("include_usage"):
        yield "", {**head, "choices": [], "usage": _OPENAI}


def responses(body: Body) -> Body:
    text = {"type": "output_text", "text": "hello", "annotations": []}
    output = {"type": "message", "id": "msg_1", "status": "completed", "role": "assistant", "content": [text]}
    head = {"id": f"resp_{time.monotonic_ns()}", "object": "response", "created_at": int(time.time())}
    rest = {"model": body["model"], "tools": [], "tool_choice": "auto", "parallel_tool_calls": True, "error": None}
    return {**head, **rest, "status": "completed", "output": [output], "usage": _NEW}


def responses_stream(body: Body) -> Iterator[tuple[str, Body]]:
    whole = responses(body)
    begun = {**whole, "status": "in_progress", "output": [], "usage": None}
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    said = (
        {"type": "response.created", "response": begun},
        {"type": "response.output_text.delta", **place, "delta": "hello"},
        {"type": "response.completed", "response": whole},
    )
    for number, event in enumerate(said):
        yield str(event["type"]), {**event, "sequence_number": number}


def messages(body: Body) -> Body:
    head = {"id": f"msg_{time.monotonic_ns()}", "type": "message", "role": "assistant", "model": body["model"]}
    content = [{"type": "text", "text": "hello"}]
    return {**head, "content": content, "stop_reason": "end_turn", "stop_sequence": None, "usage": _ANTHROPIC}


def messages_stream(body: Body) -> Iterator[tuple[str, Body]]:
    begun = {**messages(body), "content": [], "stop_reason": None, "usage": {**_ANTHROPIC, "output_tokens": 1}}
    said: tuple[Body, ...] = (
        {"type": "message_start", "message": begun},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "hello"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    )
    for event in said:
        yield str(event["type"]), event


def embeddings(body: Body) -> Body:
    data = [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": 5, "total_tokens": 5}}


_APIS: dict[str, tuple[Any, Any]] = {
    "/v1/chat/completions": (chat, chat_stream),
    "/v1/responses": (responses, responses_stream),
    "/v1/messages": (messages, messages_stream),
    "/v1/embeddings": (embeddings, None),
}


def mcp(body: Body) -> Body | None:
    """Answer as an MCP server with the tools `search` and `fetch` does; None for what is not to be answered."""
    schema = {"type": "object", "properties": {"order": {"type": "string"}}}
    results: Body = {
        "initialize": {
            "protocolVersion": (body.get("params") or {}).get("protocolVersion"),
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "shop", "version": "1"},
        },
        "tools/list": {"tools": [{"name": name, "inputSchema": schema} for name in ("search", "fetch")]},
        "tools/call": {"content": [{"type": "text", "text": "found"}], "isError": False},
    }
    if "id" not in body:
        return None
    return {"jsonrpc": "2.0", "id": body["id"], "result": results.get(body["method"], {})}


class _Handler(BaseHTTPRequestHandler):
    models: Models

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.models.asked.append(Asked(self.path, body))
        if self.path == "/mcp":
            self._answer_mcp(body)
            return
        whole, streamed = _APIS[self.path.split("?")[0]]
        if body.get("stream"):
            self._stream(streamed(body))
        else:
            self._answer(200, whole(body))

    def do_GET(self) -> None:
        self._answer(405, {})

    do_DELETE = do_GET  # noqa: N815 - the base class says so

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def _answer_mcp(self, body: Body) -> None:
        answer = mcp(body)
        self._answer(200 if answer else 202, answer or {})

    def _answer(self, status: int, answer: Body) -> None:
        value = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(value)))
        self.end_headers()
        self.wfile.write(value)

    def _stream(self, events: Iterator[tuple[str, Body]]) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        named = False
        for name, event in events:
            named = named or bool(name)
            self.wfile.write((f"event: {name}\n" if name else "").encode() + f"data: {json.dumps(event)}\n\n".encode())
        if not named:
            self.wfile.write(b"data: [DONE]\n\n")


@contextmanager
def stand_in() -> Iterator[Models]:
    """Serve while the context lasts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        models = Models(f"http://127.0.0.1:{server.server_port}")
        server.RequestHandlerClass = type("_Known", (_Handler,), {"models": models})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield models
        finally:
            server.shutdown()
            thread.join()
