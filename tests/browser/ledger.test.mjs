// What only a browser can tell of the site's ledger: it is filtered and searched, opened from disk, without a network.
// QAE_SITE names the folder of the site; without it nothing is tested.

import assert from "node:assert/strict";
import path from "node:path";
import { after, before, test } from "node:test";
import { pathToFileURL } from "node:url";
import { launch } from "./visit.mjs";

const SITE = process.env.QAE_SITE;
const skip = SITE ? false : "QAE_SITE names no folder";

let browser;
let page;
before(async () => {
  if (skip) return;
  browser = await launch();
  page = await browser.newPage();
  await page.setOfflineMode(true);
});
after(() => browser?.close());

const open = (name) => page.goto(pathToFileURL(path.resolve(SITE, name)).href, { waitUntil: "load" });
const shown = () => page.$$eval(".ledger tbody tr", (rows) => rows.filter((row) => !row.hidden).map((row) => row.innerText));
const says = () => page.$eval(".ledger-filter output", (output) => output.textContent);
const values = (name) => page.$$eval(`.ledger-filter [name=${name}] option`, (found) => found.map((one) => one.value));

async function search(words) {
  await page.$eval(".ledger-filter [name=text]", (input) => (input.value = ""));
  await page.type(".ledger-filter [name=text]", words || " ");
}

test("every choice shows its lines and no other, and the number is said", { skip }, async () => {
  await open("proofs/index.html");
  const all = await shown();
  assert.ok(all.length > 100);
  for (const name of ["topic", "verdict", "update"]) {
    let sum = 0;
    for (const value of (await values(name)).slice(1)) {
      await page.select(`.ledger-filter [name=${name}]`, value);
      const found = await shown();
      assert.ok(found.length > 0, `${name} ${value}`);
      assert.equal(await says(), `${found.length} of ${all.length} lines`);
      if (name === "verdict") assert.ok(found.every((line) => line.includes(value)), value);
      sum += found.length;
    }
    assert.equal(sum, all.length, name);
    await page.select(`.ledger-filter [name=${name}]`, "all");
  }
});

test("every word of the search has to be there, in any case, beside the choices", { skip }, async () => {
  await search("ADAM equal-success");
  const found = await shown();
  assert.ok(found.length > 0);
  assert.ok(found.every((line) => /adam/i.test(line) && /equal-success/.test(line)));
  await page.select(".ledger-filter [name=verdict]", "absent");
  const absent = await shown();
  assert.ok(absent.length > 0 && absent.length < found.length);
  await search("no such line at all");
  assert.deepEqual(await shown(), []);
  assert.match(await says(), /^0 of /);
  await search("");
  await page.select(".ledger-filter [name=verdict]", "all");
});

test("a title leads to the claim, whose steps are shown", { skip }, async () => {
  await page.click(".ledger a[href$='#claim-eq4-threshold']");
  await page.waitForSelector("#claim-eq4-threshold");
  assert.ok(await page.$eval(".claim .evidence[open] .steps li", (step) => step.checkVisibility()));
});

test("the site begins with the bottom line, on a phone too", { skip }, async () => {
  for (const width of [390, 1440]) {
    await page.setViewport({ width, height: 900 });
    await open("index.html");
    const top = await page.$eval("#the-bottom-line-for-someone-who-trains", (heading) => heading.getBoundingClientRect().top);
    assert.ok(top < 900, `${top}`);
  }
});
