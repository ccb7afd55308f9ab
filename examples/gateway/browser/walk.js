// Walks through the shop in headless Chromium as a customer would, and fails when anything is not as it should be.
//
//     node walk.js PROGRAM FOLDER
//
// PROGRAM is the built example; the screenshots go into FOLDER. CHROMIUM names the browser, /usr/bin/chromium unless set.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { chromium } from "playwright-core";

import { openShop } from "./program.js";

const WIDTHS = [390, 1280];
const SCHEMES = ["light", "dark"];
const PRODUCTS = 8;

const [program, folder] = process.argv.slice(2);
assert(program && folder, "usage: node walk.js PROGRAM FOLDER");
await mkdir(folder, { recursive: true });

const shop = await openShop(program);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  // Chromium's own sandbox does not work for root, as whom containers run.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
});
try {
  for (const width of WIDTHS) for (const scheme of SCHEMES) await look(width, scheme);
  await search();
  await deepLink();
  await buy();
  await staleToken();
} finally {
  await browser.close();
  await shop.close();
}
console.log(`The shop works in a browser; screenshots are in ${folder}`);

// A page that fails the walk when it complains, or asks anybody but the shop for anything.
async function visit(path, { width = 1280, scheme = "light" } = {}) {
  const context = await browser.newContext({ colorScheme: scheme, viewport: { width, height: 900 }, baseURL: shop.url });
  const page = await context.newPage();
  page.setDefaultTimeout(10_000);
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    // The browser logs every answer above 399; those are looked at where they are expected.
    const isAnswer = message.text().startsWith("Failed to load resource") && message.location().url.includes("/api/");
    if (message.type() === "error" && !isAnswer) page.complaints.push(message.text());
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(shop.url)) page.complaints.push(`it asks ${request.url()}`);
  });
  await page.goto(path);
  await page.locator("#products[aria-busy=false]").waitFor();
  return page;
}

async function leave(page) {
  assert.deepEqual(page.complaints, []);
  await page.context().close();
}

// --- how it looks ---

async function look(width, scheme) {
  const page = await visit("/", { width, scheme });
  const shot = (name, fullPage = false) => shoot(page, `${name}-${width}-${scheme}`, fullPage);
  await cards(page, PRODUCTS);
  await drawings(page);
  await shot("catalogue", true);
  await page.getByRole("button", { name: "Buy Brass desk lamp" }).click();
  await logIn(page, "guess");
  await page.getByText("There is no such user with this password.").waitFor();
  await shot("wrong-password");
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.getByRole("link", { name: "Potted fern" }).click();
  await cards(page, 1);
  await shot("product", true);
  await leave(page);
}

async function shoot(page, name, fullPage = false) {
  await fits(page);
  await page.screenshot({ path: `${folder}/${name}.png`, fullPage, animations: "disabled" });
}

// Nothing reaches beyond the sides, and everything that is pressed is large enough for a finger.
async function fits(page) {
  const beyond = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert(beyond <= 0, `the page is ${beyond} px too wide`);
  for (const button of await page.locator("button:visible, input:visible").all()) {
    const box = await button.boundingBox();
    assert(box.height >= 40, `${await button.innerText()}: only ${box.height} px high`);
  }
}

async function drawings(page) {
  const empty = await page.$$eval(".art use", (uses) => uses.filter((use) => use.getBBox().width < 20).length);
  assert.equal(empty, 0, "every product has its drawing");
}

// --- what it does ---

async function search() {
  const page = await visit("/");
  await page.getByRole("searchbox").fill("WALL clock");
  await cards(page, 1);
  await page.getByText("1 product for “WALL clock”.").waitFor();
  await page.getByRole("searchbox").fill("unicorn");
  await page.getByText("Nothing for “unicorn”.").waitFor();
  await cards(page, 0);
  await page.getByRole("link", { name: "Show all" }).click();
  await cards(page, PRODUCTS);
  await page.goBack();
  await cards(page, 0);
  assert.equal(await page.getByRole("searchbox").inputValue(), "unicorn");
  await leave(page);
}

async function deepLink() {
  const page = await visit("/product/lamp");
  await cards(page, 1);
  await page.getByRole("link", { name: "Brass desk lamp" }).waitFor();
  await leave(page);
}

// Two customers see the last clock; one of them is too late.
async function buy() {
  const [first, second] = [await visit("/", { width: 390 }), await visit("/", { scheme: "dark" })];
  await clock(first).getByText("Only 1 left").waitFor();
  await clock(first).getByRole("button").click();
  await logIn(first, "guess");
  await first.getByText("There is no such user with this password.").waitFor();
  await logIn(first, "lovelace");
  await first.getByText("Order 1: Quiet wall clock").waitFor();
  await first.getByText("€49.00, for ada of analytical-engines.").waitFor();
  await first.getByText("Hello, ada").waitFor();
  await soldOut(first);
  await shoot(first, "bought");

  await clock(second).getByRole("button").click();
  await logIn(second, "lovelace");
  await second.getByText("Quiet wall clock is sold out.").waitFor();
  await soldOut(second);
  await shoot(second, "too-late");

  await first.getByRole("button", { name: "Log out" }).click();
  await first.getByRole("button", { name: "Log in" }).waitFor();
  await leave(first);
  await leave(second);
}

// A token that is no longer taken leads to a new login, and then to the order.
async function staleToken() {
  const page = await visit("/");
  await page.getByRole("button", { name: "Log in" }).click();
  await logIn(page, "lovelace");
  await page.getByText("Hello, ada").waitFor();
  const spoil = (route) => route.continue({ headers: { ...route.request().headers(), authorization: "Bearer a.b.c" } });
  await page.route("**/api/purchases", spoil, { times: 1 });
  await page.getByRole("button", { name: "Buy Stoneware mug" }).click();
  await page.getByText("the last login is over").waitFor();
  await logIn(page, "lovelace");
  await page.getByText("Order 2: Stoneware mug").waitFor();
  await leave(page);
}

function clock(page) {
  return page.locator("[data-sku=clock]");
}

async function soldOut(page) {
  await clock(page).getByText("Sold out").waitFor();
  assert(await clock(page).getByRole("button").isDisabled(), "nobody can buy what is sold out");
}

async function logIn(page, password) {
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("User").fill("ada");
  await dialog.getByLabel("Password").fill(password);
  await dialog.getByRole("button", { name: "Log in" }).click();
}

async function cards(page, count) {
  await page.waitForFunction((count) => document.querySelectorAll(".card").length === count, count);
}
