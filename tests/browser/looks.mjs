// What is looked for on one open page. Every function gives a list of faults, a line each.

import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const SERIOUS = ["serious", "critical"];

/** Listens from now on; the function that it returns gives what was heard. Requests to other origins are refused. */
export async function listen(page, origin) {
  const faults = [];
  page.on("console", (message) => {
    if (message.type() === "error") faults.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`loads ${response.url()}: status ${response.status()}`);
  });
  await page.setRequestInterception(true);
  page.on("request", (request) => {
    const own = request.url().startsWith(`${origin}/`) || /^(data|blob):/.test(request.url());
    if (own) return request.continue();
    faults.push(`loads from elsewhere: ${request.url()}`);
    return request.abort();
  });
  return () => [...new Set(faults)];
}

/** Whether the page is wider than the window, and what sticks out. */
export async function overflow(page, width) {
  const found = await page.evaluate((width) => {
    const boxed = (element) => {
      for (let box = element.parentElement; box && box !== document.body; box = box.parentElement) {
        if (getComputedStyle(box).overflowX !== "visible") return true;
      }
      return false;
    };
    const wide = [...document.body.querySelectorAll("*")].filter(
      (element) => element.getBoundingClientRect().right > width + 1 && !boxed(element),
    );
    const shown = wide.slice(-3).map((element) => element.outerHTML.replace(/\s+/g, " ").slice(0, 90));
    return { scrollWidth: document.documentElement.scrollWidth, shown };
  }, width);
  return found.scrollWidth > width ? [`wider than the window: ${found.scrollWidth} > ${width}: ${found.shown.join(" | ")}`] : [];
}

/** Where the page's links lead and which places it has: for `brokenLinks`, once all pages are known. */
export function links(page) {
  return page.evaluate(() => ({
    hrefs: [...new Set([...document.querySelectorAll("a[href]")].map((link) => link.href))],
    places: [...document.querySelectorAll("[id], a[name]")].map((element) => element.id || element.name),
  }));
}

/** A link's page: without the place on it, and without the name that a folder's page may have. */
export function pageOf(href) {
  return href.replace(/#.*$/, "").replace(/\/index\.html$/, "/");
}

/** Links inside the site that lead to no page, or to no place on it. `pages` maps URLs to what `links` found. */
export async function brokenLinks(pages, origin) {
  const faults = [];
  for (const [from, { hrefs }] of pages) {
    for (const href of hrefs.filter((one) => one.startsWith(`${origin}/`))) {
      const place = decodeURIComponent(new URL(href).hash.slice(1));
      const target = pages.get(pageOf(href));
      if (!target && !(await fetch(pageOf(href))).ok) faults.push([from, `broken link: ${href}`]);
      else if (target && place && place !== "top" && !target.places.includes(place)) faults.push([from, `no such place: ${href}`]);
    }
  }
  return faults;
}

/** Violations that axe-core finds: serious and critical ones are faults, others are notes. */
export async function accessibility(page) {
  await page.evaluate(AXE);
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ["violations"] });
    return found.violations.map((one) => ({
      says: `axe ${one.id} (${one.impact}): ${one.help}: ${one.nodes.length} places, first ${one.nodes[0].target.join(" ")}`,
      impact: one.impact,
    }));
  });
  return {
    faults: violations.filter((one) => SERIOUS.includes(one.impact)).map((one) => one.says),
    notes: violations.filter((one) => !SERIOUS.includes(one.impact)).map((one) => one.says),
  };
}

/** Opens whatever is folded away, so that it is looked at too. */
export function unfold(page) {
  return page.evaluate(() => {
    for (const details of document.querySelectorAll("details")) details.open = true;
  });
}
