"""A guest of wasi:http 0.2: the path says what it does."""

import json
from collections.abc import Iterable, Iterator

from componentize_py_types import Err, Ok
from wit_world import exports
from wit_world.imports.streams import StreamError_Closed
from wit_world.imports.types import Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam

CHUNK = 64 * 1024
# What `blocking_write_and_flush` takes at once.
MOST = 4096

served = 0


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        global served
        served += 1
        path = (request.path_with_query() or "").partition("?")[0]
        PATHS.get(path, missing)(request, response_out)


def hello(_: IncomingRequest, out: ResponseOutparam) -> None:
    text(out, 200, "Hello, world!\n")


def echo(request: IncomingRequest, out: ResponseOutparam) -> None:
    types = request.headers().get("content-type")
    answer(out, 200, [("content-type", value) for value in types], chunks(request))


def headers(request: IncomingRequest, out: ResponseOutparam) -> None:
    method = type(request.method()).__name__.removeprefix("Method_").upper()
    lines = [f"method: {method}", f"path: {request.path_with_query()}", ""]
    lines += [f"{name}: {value.decode(errors='replace')}" for name, value in request.headers().entries()]
    text(out, 200, "\n".join(lines) + "\n")


def answer_json(request: IncomingRequest, out: ResponseOutparam) -> None:
    try:
        question = json.loads(b"".join(chunks(request)))
    except ValueError as error:
        return send_json(out, 400, {"error": str(error)})
    fields = question if isinstance(question, dict) else {}
    name, items = fields.get("name"), fields.get("items", [])
    if not isinstance(name, str) or not isinstance(items, list):
        return send_json(out, 400, {"error": "the field name is no text, or items is no list"})
    total = sum(item["price"] * item["count"] for item in items)
    send_json(out, 200, {"greeting": f"Hello, {name}!", "total": total, "served": served})


def count(_: IncomingRequest, out: ResponseOutparam) -> None:
    text(out, 200, str(served))


def throw(_: IncomingRequest, out: ResponseOutparam) -> None:
    raise RuntimeError("thrown on purpose")


def missing(request: IncomingRequest, out: ResponseOutparam) -> None:
    text(out, 404, f"no such path: {request.path_with_query()}\n")


PATHS = {"/": hello, "/echo": echo, "/headers": headers, "/json": answer_json, "/count": count, "/throw": throw}


def text(out: ResponseOutparam, status: int, body: str) -> None:
    answer(out, status, [("content-type", b"text/plain; charset=utf-8")], [body.encode()])


def send_json(out: ResponseOutparam, status: int, value: dict) -> None:
    body = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    answer(out, status, [("content-type", b"application/json")], [body])


def chunks(request: IncomingRequest) -> Iterator[bytes]:
    with request.consume() as body, body.stream() as stream:
        while True:
            try:
                yield stream.blocking_read(CHUNK)
            except Err as error:
                if isinstance(error.value, StreamError_Closed):
                    return
                raise


def answer(out: ResponseOutparam, status: int, head: list[tuple[str, bytes]], body: Iterable[bytes]) -> None:
    response = OutgoingResponse(Fields.from_list(head))
    response.set_status_code(status)
    outgoing = response.body()
    ResponseOutparam.set(out, Ok(response))
    with outgoing.write() as stream:
        for chunk in body:
            for at in range(0, len(chunk), MOST):
                stream.blocking_write_and_flush(chunk[at : at + MOST])
    OutgoingBody.finish(outgoing, None)
