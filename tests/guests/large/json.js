// Answers JSON with JSON: {"name", "items": [{"price", "count"}]} gives {"greeting", "total", "served"}.
// The export is named like the interface; what `handle` throws is its failure.

let served = 0;

export const handler = {
  handle(event) {
    served += 1;
    const { name, items = [], random, fail } = parse(event.body);
    if (typeof name !== "string" || !Array.isArray(items)) {
      throw failure("bad-request", "the field name is no text, or items is no list");
    }
    if (fail) {
      throw failure("teapot", "the event asked for a failure");
    }
    const total = items.reduce((sum, { price, count }) => sum + price * count, 0);
    const answer = { greeting: `Hello, ${name}!`, total, served };
    if (random) {
      answer.random = Math.random();
    }
    return { contentType: "application/json", attributes: [], body: encode(JSON.stringify(answer)) };
  },
};

function parse(body) {
  try {
    return JSON.parse(decode(body)) ?? {};
  } catch (error) {
    throw failure("bad-request", error.message);
  }
}

function failure(kind, message) {
  return { kind, message, retryable: false };
}

function decode(bytes) {
  return new TextDecoder().decode(bytes);
}

function encode(text) {
  return new TextEncoder().encode(text);
}
