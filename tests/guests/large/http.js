// A guest of wasi:http 0.2: the path says what it does.

let served = 0;

const paths = {
  "/": () => new Response("Hello, world!\n"),
  "/echo": (request) => new Response(request.body, { headers: sameType(request) }),
  "/headers": headers,
  "/json": json,
  "/count": () => new Response(String(served)),
  "/throw": () => {
    throw new Error("thrown on purpose");
  },
};

addEventListener("fetch", (event) => {
  served += 1;
  event.respondWith(answer(event.request));
});

async function answer(request) {
  const { pathname } = new URL(request.url);
  const path = paths[pathname];
  return path ? path(request) : new Response(`no such path: ${pathname}\n`, { status: 404 });
}

function headers(request) {
  const { pathname, search } = new URL(request.url);
  const lines = [...request.headers].map(([name, value]) => `${name}: ${value}\n`);
  return new Response(`method: ${request.method}\npath: ${pathname}${search}\n\n${lines.join("")}`);
}

async function json(request) {
  let question;
  try {
    question = JSON.parse(await request.text());
  } catch (error) {
    return answered(400, { error: error.message });
  }
  const { name, items = [] } = question ?? {};
  if (typeof name !== "string" || !Array.isArray(items)) {
    return answered(400, { error: "the field name is no text, or items is no list" });
  }
  const total = items.reduce((sum, { price, count }) => sum + price * count, 0);
  return answered(200, { greeting: `Hello, ${name}!`, total, served });
}

function answered(status, value) {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });
}

function sameType(request) {
  const type = request.headers.get("content-type");
  return type === null ? {} : { "content-type": type };
}
