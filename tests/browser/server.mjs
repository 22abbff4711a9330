// A file server on this machine only, for pages that are looked at over HTTP. Serves nothing outside its folder.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import path from "node:path";

const TYPES = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".json": "application/json",
  ".md": "text/plain; charset=utf-8",
  ".png": "image/png",
  ".svg": "image/svg+xml",
  ".woff2": "font/woff2",
};

/** Serves `folder`; gives the origin and a function that stops it. */
export async function serve(folder) {
  const root = path.resolve(folder);
  const server = createServer((request, response) => answer(root, request, response));
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    stop: () => new Promise((resolve) => server.close(resolve) && server.closeAllConnections()),
  };
}

async function answer(root, request, response) {
  const file = await fileAt(root, decodeURIComponent(new URL(request.url, "http://localhost").pathname));
  if (file === null) {
    response.writeHead(404).end("not found");
    return;
  }
  response.writeHead(200, { "content-type": TYPES[path.extname(file)] ?? "application/octet-stream" });
  createReadStream(file).pipe(response);
}

async function fileAt(root, pathname) {
  const wanted = path.join(root, pathname);
  if (!(wanted + path.sep).startsWith(root + path.sep)) return null;
  const found = await stat(wanted).catch(() => null);
  if (found?.isDirectory()) return fileAt(root, path.join(pathname, "index.html"));
  return found ? wanted : null;
}
