"""Answers JSON with JSON: {"name", "items": [{"price", "count"}]} gives {"greeting", "total", "served"}."""

import json
import random

from componentize_py_types import Err
from wit_world import exports
from wit_world.imports.types import Event, Failure, Response

served = 0


class Handler(exports.Handler):
    def handle(self, event: Event) -> Response:
        global served
        served += 1
        question = parse(event.body)
        name, items = question.get("name"), question.get("items", [])
        if not isinstance(name, str) or not isinstance(items, list):
            raise failure("bad-request", "the field name is no text, or items is no list")
        if question.get("fail"):
            raise failure("teapot", "the event asked for a failure")
        total = sum(item["price"] * item["count"] for item in items)
        answer = {"greeting": f"Hello, {name}!", "total": total, "served": served}
        if question.get("random"):
            answer["random"] = random.random()
        return Response("application/json", [], encode(answer))


def parse(body: bytes) -> dict:
    try:
        question = json.loads(body)
    except ValueError as error:
        raise failure("bad-request", str(error)) from error
    return question if isinstance(question, dict) else {}


def encode(answer: dict) -> bytes:
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":")).encode()


def failure(kind: str, message: str) -> Err:
    return Err(Failure(kind, message, False))
