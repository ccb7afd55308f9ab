// Greets, in JavaScript: takes {"name": "Ada"} and answers {"hello": "Ada"}.
// The export is named like the interface; what `handle` throws is its failure.

export const handler = {
  handle(event) {
    const { name } = parse(event.body);
    if (typeof name !== "string") {
      throw badRequest("the field name is missing or is no text");
    }
    return {
      contentType: "application/json",
      attributes: [],
      body: encode(JSON.stringify({ hello: name })),
    };
  },
};

function parse(body) {
  try {
    return JSON.parse(decode(body)) ?? {};
  } catch (error) {
    throw badRequest(error.message);
  }
}

function badRequest(message) {
  return { kind: "bad-request", message, retryable: false };
}

// The engine has no TextDecoder and no TextEncoder; percent encoding speaks UTF-8.

function decode(bytes) {
  const percent = (byte) => "%" + byte.toString(16).padStart(2, "0");
  return decodeURIComponent(Array.from(bytes, percent).join(""));
}

function encode(text) {
  const byte = (_, hex) => String.fromCharCode(parseInt(hex, 16));
  const binary = encodeURIComponent(text).replace(/%(..)/g, byte);
  return Uint8Array.from(binary, (unit) => unit.charCodeAt(0));
}
