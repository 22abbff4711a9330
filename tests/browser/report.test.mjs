// What only a browser can tell of the report: its table is filtered without scripts, and print shows all of it.
// QAE_REPORT names the page; without it nothing is tested.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch } from "./visit.mjs";

const REPORT = process.env.QAE_REPORT;
const skip = REPORT ? false : "QAE_REPORT names no page";

let browser;
let page;
before(async () => {
  if (skip) return;
  browser = await launch();
  page = await browser.newPage();
  await page.setJavaScriptEnabled(false);
  await page.goto(pathToFileURL(path.resolve(REPORT)).href);
});
after(() => browser?.close());

const unfold = () => page.$$eval("#ledger ~ details", (found) => found.forEach((one) => (one.open = true)));
const rows = (kind = "") =>
  page.$$eval(`.summary tbody tr${kind}`, (found) => found.filter((row) => row.offsetParent !== null).length);
const all = (kind = "") => page.$$eval(`.summary tbody tr${kind}`, (found) => found.length);
const choices = (name) => page.$$eval(`input[name=${name}]`, (found) => found.map((one) => one.id));
const says = () => page.$eval(".nothing", (one) => getComputedStyle(one).display !== "none");

const MOST_PIXELS = 12000;
for (const width of [390, 768, 1440]) {
  test(`folded, the page is at most ${MOST_PIXELS} pixels tall at ${width}, and begins with the bottom line`, { skip }, async () => {
    await page.setViewport({ width, height: 844 });
    const [height, first] = await page.evaluate(() => [
      document.documentElement.scrollHeight,
      document.getElementById("findings").getBoundingClientRect().bottom,
    ]);
    assert.ok(height <= MOST_PIXELS, `${height}`);
    assert.ok(first > 0 && first < 844 / 3, `${first}`);
  });
}

test("a link to a claim opens what it is folded in", { skip }, async () => {
  await page.click(".findings a");
  const target = await page.$eval(".findings a", (link) => link.getAttribute("href").slice(1));
  assert.ok(await page.evaluate((id) => document.getElementById(id).checkVisibility(), target));
});

test("every choice of verdict and update shows its rows and no other", { skip }, async () => {
  await unfold();
  for (const verdict of await choices("verdict")) {
    await page.click(`#${verdict}`);
    for (const update of await choices("update")) {
      await page.click(`#${update}`);
      const kind = [verdict, update].filter((id) => !id.includes("show-all")).map((id) => id.replace("show-", "."));
      const wanted = await all(kind.join(""));
      assert.equal(await rows(), wanted, kind.join(""));
      assert.equal(await rows(kind.join("")), wanted);
      assert.equal(await says(), wanted === 0, kind.join(""));
    }
  }
  await page.click("#show-all-verdicts");
  await page.click("#show-all-updates");
  assert.equal(await rows(), await all());
});

test("the choices can be reached and changed by keyboard", { skip }, async () => {
  await page.focus("#show-all-verdicts");
  await page.keyboard.press("ArrowRight");
  const chosen = await page.$eval("input[name=verdict]:checked", (one) => one.id);
  assert.notEqual(chosen, "show-all-verdicts");
  assert.equal(await rows(), await all(chosen.replace("show-", ".")));
  const outline = await page.$eval(`#${chosen}`, (one) => getComputedStyle(one).outlineStyle);
  assert.notEqual(outline, "none");
  await page.click("#show-all-verdicts");
});

test("print shows every row and what is folded away", { skip }, async () => {
  await page.click(`#${(await choices("verdict"))[1]}`);
  await page.emulateMediaType("print");
  assert.equal(await rows(), await all());
  const hidden = await page.$$eval("details", (found) =>
    found.filter((one) => [...one.children].slice(1).some((child) => !child.checkVisibility())).length,
  );
  assert.equal(hidden, 0);
  await page.emulateMediaType("screen");
});
