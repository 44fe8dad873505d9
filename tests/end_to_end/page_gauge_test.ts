/** The gauge of the entropy metric on the page: what it says without a number, with one, and when its band is changed elsewhere. */
import assert from "node:assert/strict";
import { Chromium, NO_BROWSER, type Page } from "../support/chromium.ts";
import { ServedPage } from "../support/served_page.ts";
import { PROJECT, Repository } from "./harness.ts";

/** Waits until an expression is true in the page. */
async function holds(page: Page, expression: string): Promise<void> {
  for (let turn = 0; !await page.evaluate<boolean>(expression); turn++) {
    assert.ok(turn < 300, `waited in vain for: ${expression}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

Deno.test({
  name:
    "the gauge says what is missing, then where the metric lies, and follows a change of its band",
  ignore: NO_BROWSER !== undefined,
  // The driver keeps what it knows of the browser's process for a moment after it has ended.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn() {
    using repository = new Repository(PROJECT);
    await using served = await ServedPage.start(repository.path, "--no-watch");
    await using chromium = await Chromium.start();
    const page = await chromium.open();
    const said = () => page.locator(".gauge .summary").first().textContent();
    const post = (command: string, input: unknown) =>
      page.evaluate<number>(
        `fetch("/api/${command}", { method: "POST", headers: { "content-type": "application/json" }, body: ${
          JSON.stringify(JSON.stringify(input))
        } }).then(async (response) => (await response.text(), response.status))`,
      );
    await page.goto(served.url);
    await page.locator(".examples li").first().waitFor();
    await page.goto(`${served.base}/#/trail`);
    await page.locator(".gauge .summary").first().waitFor();
    assert.match(
      await said() ?? "",
      /^No number yet: no question has ended so far; 10 more questions/,
    );
    assert.equal(await page.locator("[role=meter]").count(), 0);
    for (let asked = 0; asked < 10; asked++) {
      assert.equal(
        await post("ask", { question: "Where is retryDelay used?", refresh: false }),
        200,
      );
    }
    await page.locator("[role=meter]").waitFor();
    await holds(
      page,
      `document.querySelector("[role=meter] .tag").textContent === "below its band"`,
    );
    const meter = (name: string) =>
      page.evaluate<string>(`document.querySelector("[role=meter]").getAttribute("aria-${name}")`);
    const value = Number(await meter("valuenow"));
    assert.ok(value > 0 && value < 0.25, `${value}`);
    assert.equal(
      await meter("valuetext"),
      `${value.toFixed(2)}, below its band of 0.25 to 0.75`,
    );
    assert.match(
      await said() ?? "",
      /^Below the band: the last \d+ questions were answered much as/,
    );
    // By keys alone, as everything is.
    await page.locator(".gauge summary").focus();
    await page.keyboard.press("Enter");
    await holds(page, `document.querySelectorAll(".gauge .parts dt").length === 3`);
    assert.equal(await post("cem_set", { band_low: 0.1 }), 200);
    await holds(
      page,
      `document.querySelector("[role=meter]").getAttribute("aria-valuetext").endsWith("within its band of 0.10 to 0.75")`,
    );
    assert.equal(await post("cem_set", { reset: true }), 200);
    chromium.assertClean();
  },
});
