// The shop's page: shows what search finds, logs in, buys. It knows the functions by their routes alone.

const $ = (id) => document.getElementById(id);
const euros = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

// Kept in memory alone: a token in storage could be read by any script that ever gets onto the page.
let session = null;
// What to do when the login that is open succeeds.
let afterLogin = null;

// Asks the gateway; gives the answer's JSON, or throws what went wrong as an Error with `status`.
async function ask(path, options = {}) {
  const response = await fetch(path, options).catch(() => null);
  if (!response) throw new Error("The shop does not answer. Is it still running?");
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const wait = response.headers.get("retry-after");
  const message = body.message ?? `the shop answered ${response.status}`;
  throw Object.assign(new Error(sentence(wait ? `${message}, in ${wait} s` : message)), { status: response.status });
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}.`;
}

function post(path, value, headers = {}) {
  headers["content-type"] = "application/json";
  return ask(path, { method: "POST", headers, body: JSON.stringify(value) });
}

// --- the products ---

// Only the newest search may show what it found.
let newest = 0;

async function show() {
  const mine = ++newest;
  const query = new URLSearchParams(location.search).get("q") ?? "";
  const one = location.pathname.match(/^\/product\/([a-z]+)$/)?.[1];
  try {
    const found = await ask(`/api/products?${new URLSearchParams({ q: query })}`);
    if (mine !== newest) return;
    const products = one ? found.products.filter((product) => product.sku === one) : found.products;
    $("products").replaceChildren(...products.map(card));
    say(products.length, query, one);
  } catch (error) {
    if (mine === newest) note("The products are not to be had.", error.message, true);
  }
  $("products").setAttribute("aria-busy", "false");
}

function say(count, query, one) {
  $("intro").hidden = Boolean(query || one);
  $("products").classList.toggle("one", Boolean(one));
  const things = count === 1 ? "1 product" : `${count} products`;
  const back = Object.assign(document.createElement("a"), { href: "/", textContent: "Show all" });
  if (one) $("line").replaceChildren(count ? "" : `There is no ${one} here. `, back);
  else if (query) $("line").replaceChildren(count ? `${things} for “${query}”. ` : `Nothing for “${query}”. `, back);
  else $("line").replaceChildren(things);
}

function card(product) {
  const card = $("card").content.cloneNode(true).firstElementChild;
  const part = (selector) => card.querySelector(selector);
  card.dataset.sku = product.sku;
  part("use").setAttribute("href", `#art-${product.sku}`);
  Object.assign(part("a"), { textContent: product.name, href: `/product/${product.sku}` });
  part(".about").textContent = product.about;
  part(".price").textContent = euros.format(product.cents / 100);
  part(".stock").textContent = product.stock > 3 ? "In stock" : product.stock ? `Only ${product.stock} left` : "Back in spring";
  card.classList.toggle("few", product.stock > 0 && product.stock <= 3);
  card.classList.toggle("gone", product.stock === 0);
  if (product.stock === 0) Object.assign(part(".badge"), { textContent: "Sold out", hidden: false });
  const buyButton = part("button");
  buyButton.setAttribute("aria-label", `Buy ${product.name}`);
  buyButton.disabled = product.stock === 0;
  buyButton.addEventListener("click", () => buy(product, buyButton));
  return card;
}

// --- buying ---

async function buy(product, button) {
  if (!session) return openLogin(`to buy the ${product.name.toLowerCase()}`, () => buy(product, button));
  button.disabled = true;
  try {
    const headers = { authorization: `Bearer ${session.token}` };
    const order = await post("/api/purchases", { sku: product.sku, quantity: 1 }, headers);
    note(`Order ${order.order}: ${order.name}`, `${euros.format(order.total_cents / 100)}, for ${order.buyer} of ${order.team}.`);
  } catch (error) {
    if (error.status === 401) {
      logOut();
      return openLogin("again: the last login is over", () => buy(product, button));
    }
    note(error.status === 409 ? "Too late." : "That did not work.", error.message, true);
  } finally {
    button.disabled = false;
  }
  await show();
  // The button that was pressed has gone with its card.
  document.querySelector(`[data-sku="${product.sku}"] a`)?.focus({ preventScroll: true });
}

// --- logging in and out ---

function openLogin(why, then) {
  afterLogin = then;
  $("login-hint").textContent = `Please log in ${why}.`;
  $("wrong").hidden = true;
  $("login-form").reset();
  $("login").showModal();
}

async function logIn(event) {
  event.preventDefault();
  try {
    session = await post("/api/login", { user: $("user").value, password: $("password").value });
  } catch (error) {
    Object.assign($("wrong"), { textContent: error.message, hidden: false });
    $("password").select();
    return;
  }
  const then = afterLogin;
  $("login").close();
  showSession();
  await then?.();
}

function logOut() {
  session = null;
  showSession();
}

function showSession() {
  $("name").textContent = session?.user ?? "";
  $("who").hidden = !session;
  $("account").textContent = session ? "Log out" : "Log in";
}

// --- what the page says, and what it listens to ---

function note(title, text, isBad = false) {
  const note = Object.assign(document.createElement("div"), { className: isBad ? "note bad" : "note" });
  note.append(
    Object.assign(document.createElement("b"), { textContent: title }),
    Object.assign(document.createElement("span"), { textContent: text }),
  );
  $("notes").replaceChildren(note);
  setTimeout(() => note.remove(), 8000);
}

function showAddress() {
  $("query").value = new URLSearchParams(location.search).get("q") ?? "";
  return show();
}

$("query").addEventListener("input", () => {
  const query = $("query").value.trim();
  history.replaceState(null, "", query ? `/?${new URLSearchParams({ q: query })}` : "/");
  show();
});
$("search").addEventListener("submit", (event) => event.preventDefault());
$("account").addEventListener("click", () => (session ? logOut() : openLogin("to buy something", null)));
$("login-form").addEventListener("submit", logIn);
$("login").addEventListener("close", () => (afterLogin = null));
$("cancel").addEventListener("click", () => $("login").close());
addEventListener("popstate", showAddress);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='/']");
  const isPlain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (!link || !isPlain) return;
  event.preventDefault();
  history.pushState(null, "", link.getAttribute("href"));
  showAddress();
  scrollTo(0, 0);
});

showAddress();
