// Walks the movies site in a real browser with JavaScript off, as a visitor
// would: node browser.mjs URL [SCREENSHOTS_DIR]
// Prints a line for each step. CHROMIUM names another browser.

import { strict as assert } from "node:assert";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const [url, pictures] = process.argv.slice(2);
const profile = await mkdtemp(join(tmpdir(), "movies-browser-"));
const browser = await chromium.launchPersistentContext(profile, {
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    headless: true,
    javaScriptEnabled: false,
    viewport: { width: 1000, height: 800 },
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const page = await browser.newPage();
page.setDefaultTimeout(30_000);

let steps = 0;
async function step(name, heading, act) {
    await act();
    assert.equal(await page.locator("h1").innerText(), heading, name);
    steps++;
    console.log(name);
    if (pictures) await page.screenshot({ path: join(pictures, `${steps}-${name.replaceAll(/\W+/g, "-")}.png`) });
}

try {
    await step("start", "Movies and flights", () => page.goto(url));
    const best = await page.locator("ol a").first().innerText();
    await step("best movie", best, () => page.click("ol a >> nth=0"));
    await step("movies", "Movies", () => page.click("nav >> text=Movies"));
    await step("search", "Movies", async () => {
        await page.fill("input[name=q]", "kubrick");
        await page.click("text=Search");
        assert.match(page.url(), /\?q=kubrick$/);
        assert.ok((await page.locator("table a").allInnerTexts()).includes("The Shining"), "The Shining is not found");
    });
    await step("flights", "Flights", () => page.click("nav >> text=Flights"));
    await step("flights, next page", "Flights", async () => {
        await page.click("a[rel=next]");
        assert.match(await page.locator("main, body").first().innerText(), /Page 2 of 667/);
    });
    const from = page.locator("td a").first();
    const href = await from.getAttribute("href");
    await step("airport", await airport(href), () => from.click());
    await step("log in", "Log in", () => page.click("nav >> text=Log in"));
    await step("wrong password", "Log in", async () => {
        await page.fill("input[name=identity]", "ada@example.com");
        await page.fill("input[name=password]", "wrong-password");
        await page.click("main button, form[action='/-/login'] button");
        assert.equal(await page.locator("[role=alert]").innerText(), "Wrong e-mail or password.");
    });
    await step("logged in", "Movies and flights", async () => {
        await page.fill("input[name=identity]", "ada@example.com");
        await page.fill("input[name=password]", "ada-password");
        await page.click("form[action='/-/login'] button");
        assert.match(await page.locator("nav").innerText(), /ada@example\.com/);
        const [cookie] = await browser.cookies();
        assert.ok(cookie.httpOnly && cookie.sameSite === "Lax", JSON.stringify(cookie));
    });
    await step("logged out", "Movies and flights", async () => {
        await page.click("text=Log out");
        assert.match(await page.locator("nav").innerText(), /Log in/);
        assert.deepEqual(await browser.cookies(), []);
    });
    console.log(`${steps} steps`);
} finally {
    await browser.close();
    await rm(profile, { recursive: true, force: true });
}

// airport is the heading of an airport's page, as the API has it.
async function airport(path) {
    const res = await fetch(`${url}/api/collections/airports/records/${path.split("/").pop()}`);
    const { name, iata } = await res.json();
    return `${name} (${iata})`;
}
