// node check_pages.mjs [--shots DIR] [--tiles N] PAGE.html|FOLDER ...
// Exit status: 0; 1 when a fault was found; 2 for wrong usage.

import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { launch, visit } from "./visit.mjs";

const { values, positionals } = parseArgs({
  options: { shots: { type: "string" }, tiles: { type: "string", default: "3" } },
  allowPositionals: true,
});
const missing = positionals.filter((target) => !existsSync(target));
if (!positionals.length || missing.length) {
  console.error(missing.length ? `no such page: ${missing.join(", ")}` : "name a page or a folder of pages");
  process.exit(2);
}

const browser = await launch();
let faults = 0;
try {
  for (const target of positionals) {
    const found = await visit(browser, target, { shots: values.shots, tiles: Number(values.tiles) });
    for (const note of found.notes) console.log(`note: ${note}`);
    for (const fault of found.faults) console.error(`FAULT: ${fault}`);
    console.log(`${target}: ${found.pages} pages, ${found.links} links, ${found.faults.length} faults`);
    faults += found.faults.length;
  }
} finally {
  await browser.close();
}
process.exit(faults ? 1 : 0);
