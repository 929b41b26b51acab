// Runs the suite in a real browser, on a page of another origin than the
// server's: node browser.mjs URL EMAIL PASSWORD
// Prints one line of JSON for each step. CHROMIUM names another browser.

import { createServer } from "node:http";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [url, email, password] = process.argv.slice(2);
const here = fileURLToPath(new URL(".", import.meta.url));
const types = { ".html": "text/html", ".mjs": "text/javascript" };

const pages = createServer(async (req, res) => {
    try {
        const path = normalize(new URL(req.url, "http://page").pathname);
        const body = await readFile(join(here, path));
        res.writeHead(200, { "Content-Type": types[extname(path)] ?? "application/octet-stream" }).end(body);
    } catch {
        res.writeHead(404).end();
    }
});
await new Promise((resolve) => pages.listen(0, "127.0.0.1", resolve));

const profile = await mkdtemp(join(tmpdir(), "sdk-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
let failed = "";
try {
    const page = await browser.newPage();
    const finished = new Promise((resolve) => {
        page.on("pageerror", (err) => resolve(`page error: ${err.stack ?? err}`)); // such as a module that does not load
        page.exposeFunction("finish", resolve);
    });
    await page.exposeFunction("step", (line) => console.log(line));
    const query = new URLSearchParams({ url, email, password });
    await page.goto(`http://127.0.0.1:${pages.address().port}/page.html?${query}`);
    failed = await finished;
} finally {
    await browser.close();
    pages.close();
    await rm(profile, { recursive: true, force: true });
}
if (failed) {
    console.error(failed);
    process.exitCode = 1;
}
