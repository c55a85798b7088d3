// Opens reports in a headless Chromium, and fails on an error in the console, on any request, on a picture that cannot
// be seen, and on serious findings of axe-core. Screenshots are written beside the pages.
//
//   npm install --prefix DIR puppeteer-core axe-core
//   NODE_PATH=DIR/node_modules node tests/page/check.mjs PAGE.html...
import { createRequire } from "node:module";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(resolve(process.env.NODE_PATH ?? ".", "from-here.js"));
const browsers = [process.env.CHROMIUM, "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const executablePath = browsers.find((path) => path && existsSync(path));
let puppeteer, axe;
try {
  puppeteer = require("puppeteer-core");
  axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
} catch {
  console.log("skipped: puppeteer-core and axe-core are not in NODE_PATH");
  process.exit(0);
}
if (!executablePath) {
  console.log("skipped: there is no Chromium; name one in the variable CHROMIUM");
  process.exit(0);
}

const problems = [];
const browser = await puppeteer.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
for (const file of process.argv.slice(2)) {
  const url = pathToFileURL(resolve(file)).href;
  for (const [width, scheme] of [[390, "light"], [1280, "light"], [1280, "dark"], [2560, "light"]]) {
    const what = `${file} at ${width} pixels, ${scheme}`;
    const page = await browser.newPage();
    await page.setBypassCSP(true);
    page.on("console", (message) => {
      if (["error", "warn"].includes(message.type())) problems.push(`${what}: console: ${message.text()}`);
    });
    page.on("pageerror", (error) => problems.push(`${what}: ${error}`));
    page.on("request", (request) => {
      if (request.url() !== url) problems.push(`${what}: request of ${request.url()}`);
    });
    await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
    await page.setViewport({ width, height: 900 });
    await page.goto(url);
    const seen = await page.evaluate(() => {
      const pictures = [...document.querySelectorAll("svg")].map((svg) => svg.getBoundingClientRect());
      const texts = [...document.querySelectorAll("svg text")].map((text) => text.getBoundingClientRect().height);
      return {
        pictures: pictures.length,
        hidden: pictures.filter((box) => box.width < 250 || box.height < 150 || box.right > innerWidth + 1).length,
        wide: document.documentElement.scrollWidth - innerWidth,
        text: Math.min(Infinity, ...texts.filter((height) => height > 0)),
      };
    });
    if (seen.hidden > 0) problems.push(`${what}: ${seen.hidden} of ${seen.pictures} pictures cannot be seen`);
    if (seen.wide > 0) problems.push(`${what}: the page is ${seen.wide} pixels too wide`);
    const hover = await page.$("figure.pointed svg");
    if (hover) {
      await hover.hover();
      if (!(await page.$(".tip:not([hidden])"))) problems.push(`${what}: pointing at a curve shows nothing`);
      await page.mouse.move(0, 0);
    }
    const search = await page.$(".search:not([hidden]) input");
    if (search) {
      await search.type("no row has this");
      const left = await page.$$eval("table.rows tbody tr:not([hidden])", (rows) => rows.length);
      if (left > 0) problems.push(`${what}: searching hides nothing`);
      await search.click({ clickCount: 3 });
      await search.press("Backspace");
    }
    await page.evaluate(axe);
    const found = await page.evaluate(() => axe.run({ resultTypes: ["violations"] }));
    for (const violation of found.violations) {
      const line = `${what}: axe: ${violation.impact} ${violation.id} (${violation.nodes.length}): ${violation.help}`;
      const place = violation.nodes[0]?.html.slice(0, 160);
      if (["serious", "critical"].includes(violation.impact)) problems.push(`${line}: ${place}`);
      else console.log(`${line}: ${place}`);
    }
    const shot = `${file.replace(/\.html$/, "")}-${width}-${scheme}.png`;
    await page.screenshot({ path: shot, fullPage: true });
    console.log(`${what}: ${seen.pictures} pictures, text from ${seen.text.toFixed(1)} pixels on, ${shot}`);
    await page.close();
  }
}
await browser.close();
for (const problem of problems) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
