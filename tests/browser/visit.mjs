// Visits a page, or a folder of pages by their links, at every width and in both colour schemes.

import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import puppeteer from "puppeteer-core";
import { accessibility, brokenLinks, links, listen, overflow, pageOf, unfold } from "./looks.mjs";
import { serve } from "./server.mjs";

export const VIEWS = [
  { name: "desktop", width: 1440, height: 900, schemes: ["light", "dark"] },
  { name: "tablet", width: 768, height: 1024, isMobile: true, hasTouch: true, schemes: ["light", "dark"] },
  { name: "phone", width: 390, height: 844, isMobile: true, hasTouch: true, schemes: ["light", "dark"] },
];
const TILE = 2000; // pixels of height of a screenshot
const PLACES = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

export function launch() {
  const executablePath = process.env.CHROMIUM ?? PLACES.find(existsSync);
  if (!executablePath) throw new Error(`no Chromium in ${PLACES.join(", ")}; install it, or set CHROMIUM`);
  return puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
}

/**
 * Faults and notes of a page, or of all pages that the first one of a folder leads to, each with where it was seen.
 * `shots` is a folder for screenshots, of which `tiles` are made of each page at each width, from the top.
 */
export async function visit(browser, target, { shots = null, tiles = 3, views = VIEWS } = {}) {
  const single = target.endsWith(".html");
  const site = await serve(single ? path.dirname(target) : target);
  try {
    if (shots) await mkdir(shots, { recursive: true });
    const start = `${site.origin}/${single ? path.basename(target) : ""}`;
    return await crawl(browser, start, { origin: site.origin, single, shots, tiles, views });
  } finally {
    await site.stop();
  }
}

async function crawl(browser, start, options) {
  const { origin, single } = options;
  const pages = new Map();
  const found = { faults: [], notes: [], pages: 0, links: 0 };
  for (const waiting = [start]; waiting.length; ) {
    const url = waiting.shift();
    if (pages.has(url)) continue;
    // Pages of source code are made from one template: a view of each will do.
    const views = url.includes("/source/") ? options.views.slice(0, 1) : options.views;
    pages.set(url, await everyView(browser, url, { ...options, views, shots: views === options.views && options.shots }, found));
    if (!single) waiting.push(...pages.get(url).hrefs.map(pageOf).filter((next) => isPage(next, origin)));
  }
  const broken = await brokenLinks(pages, origin);
  found.faults.push(...broken.map(([from, fault]) => `${where(from, origin)}: ${fault}`));
  found.pages = pages.size;
  found.links = [...pages.values()].reduce((sum, one) => sum + one.hrefs.length, 0);
  return found;
}

async function everyView(browser, url, { origin, shots, tiles, views }, found) {
  let seen;
  for (const { name, schemes, axe = true, ...viewport } of views) {
    for (const scheme of schemes) {
      const at = `${where(url, origin)} (${name}, ${scheme})`;
      const page = await browser.newPage();
      const heard = await listen(page, origin);
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
      await page.goto(url, { waitUntil: "load" });
      if (shots) await shoot(page, path.join(shots, `${slug(url, origin)}-${name}-${scheme}`), viewport, tiles);
      const faults = await overflow(page, viewport.width);
      seen ??= await links(page);
      await unfold(page);
      faults.push(...(await overflow(page, viewport.width)));
      const met = axe ? await accessibility(page) : { faults: [], notes: [] };
      faults.push(...met.faults, ...heard());
      found.faults.push(...[...new Set(faults)].map((fault) => `${at}: ${fault}`));
      found.notes.push(...met.notes.map((note) => `${at}: ${note}`));
      await page.close();
    }
  }
  return seen;
}

async function shoot(page, name, { width }, tiles) {
  await page.evaluate(() => Promise.all([...document.images].map((image) => image.decode().catch(() => null))));
  const height = await page.evaluate(() => document.documentElement.scrollHeight);
  for (let tile = 0; tile < tiles && tile * TILE < height; tile++) {
    const clip = { x: 0, y: tile * TILE, width, height: Math.min(TILE, height - tile * TILE) };
    await page.screenshot({ path: `${name}-${tile + 1}.png`, clip, captureBeyondViewport: true });
  }
}

function isPage(url, origin) {
  return url.startsWith(`${origin}/`) && (new URL(url).pathname.endsWith("/") || url.endsWith(".html"));
}

function where(url, origin) {
  return url.slice(origin.length);
}

function slug(url, origin) {
  return where(url, origin).replace(/\.html$|^\//g, "").replace(/[^A-Za-z0-9]+/g, "-").replace(/-$/, "") || "index";
}
