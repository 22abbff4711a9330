// The checks find what is planted, and nothing on a page without fault.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, test } from "node:test";
import { launch, visit } from "./visit.mjs";

const VIEWS = [{ name: "phone", width: 390, height: 844, isMobile: true, schemes: ["light", "dark"] }];
const HEAD =
  '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>A page</title><link rel="icon" href="data:,">' +
  '<meta name="viewport" content="width=device-width, initial-scale=1">';
const STYLE = 
  "<style>body { background: #fff; color: #111 } a { color: #00c }" +
  "@media (prefers-color-scheme: dark) { body { background: #111; color: #eee } a { color: #9cf } }</style>";
const CLEAN = '<main><h1 id="top-of-page">A page</h1><p>Some text, <a href="#top-of-page">a link</a>.</p></main>';

let browser;
before(async () => (browser = await launch()));
after(() => browser.close());

/** The faults of a page made of `body`, without where they were seen. */
async function faultsOf(body, { style = STYLE, beside = {} } = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), "pages-"));
  try {
    const files = { "page.html": `${HEAD}${style}</head><body>${body}</body></html>`, ...beside };
    for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content);
    const found = await visit(browser, path.join(folder, "page.html"), { views: VIEWS });
    return found.faults;
  } finally {
    await rm(folder, { recursive: true });
  }
}

test("a clean page has no fault", async () => {
  assert.deepEqual(await faultsOf(CLEAN), []);
});

const PLANTED = {
  "a box wider than the window": [CLEAN + '<div style="width: 500px; height: 1px"></div>', /wider than the window: 5\d\d > 390.*width: 500px/],
  "one that is folded away": [
    CLEAN.replace("</main>", '<details><summary>More</summary><div style="width: 500px">wide</div></details></main>'),
    /wider than the window/,
  ],
  "a link to no place": [CLEAN.replace("#top-of-page", "#nowhere"), /no such place: .*#nowhere/],
  "a link to no page": [CLEAN.replace("#top-of-page", "gone.html"), /broken link: .*gone\.html/],
  "an error in a script": [`${CLEAN}<script>throw new Error("planted")</script>`, /script: .*planted/],
  "an error on the console": [`${CLEAN}<script>console.error("planted")</script>`, /console: planted/],
  "a picture that is not there": [CLEAN.replace("</main>", '<img src="gone.png" alt="Gone"></main>'), /gone\.png: status 404/],
  "a picture from elsewhere": [
    CLEAN.replace("</main>", '<img src="http://example.invalid/a.png" alt="Elsewhere"></main>'),
    /loads from elsewhere: http:\/\/example\.invalid\/a\.png/,
  ],
  "text too pale": [CLEAN.replace("<p>", '<p style="color: #777; background: #777">'), /axe color-contrast \(serious\)/],
  "a picture without words": [
    CLEAN.replace("</main>", '<img src="data:image/gif;base64,R0lGODlhAQABAAAAACw="></main>'),
    /axe image-alt \(critical\)/,
  ],
};
for (const [name, [body, expected]] of Object.entries(PLANTED)) {
  test(`found: ${name}`, async () => {
    const faults = await faultsOf(body);
    assert.ok(faults.length, "no fault found");
    assert.ok(faults.some((fault) => expected.test(fault)), faults.join("\n"));
  });
}

test("text too pale in the dark only is found in the dark only", async () => {
  const style = `${STYLE}<style>@media (prefers-color-scheme: dark) { p { color: #444 } }</style>`;
  const faults = await faultsOf(CLEAN, { style });
  assert.equal(faults.length, 1, faults.join("\n"));
  assert.match(faults[0], /dark\): axe color-contrast/);
});

test("what scrolls in a box of its own is no overflow", async () => {
  const box = '<div style="overflow-x: auto" tabindex="0" role="region" aria-label="A table"><div style="width: 500px">wide</div></div>';
  assert.deepEqual(await faultsOf(CLEAN.replace("</main>", `${box}</main>`)), []);
});

test("every page of a folder is visited, and places on other pages are looked up", async () => {
  const folder = await mkdtemp(path.join(tmpdir(), "pages-"));
  try {
    const page = (body) => `${HEAD}${STYLE}</head><body>${body}</body></html>`;
    await writeFile(path.join(folder, "index.html"), page(CLEAN.replace("#top-of-page", "second.html#top-of-page")));
    await writeFile(path.join(folder, "second.html"), page(CLEAN.replace("#top-of-page", "index.html#nowhere")));
    const found = await visit(browser, folder, { views: VIEWS });
    assert.equal(found.faults.length, 1, found.faults.join("\n"));
    assert.match(found.faults[0], /^\/second\.html: no such place: .*index\.html#nowhere/);
  } finally {
    await rm(folder, { recursive: true });
  }
});
