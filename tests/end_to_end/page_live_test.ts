/** What windows of the page show of changes that they did not make: by another window, a command line, a program; a kernel that comes back. */
import assert from "node:assert/strict";
import { briefOf, KernelClient } from "../../kernel/doors/kernel_client.ts";
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

/** Waits until the slots of the object that is open hold a text. */
const shows = (page: Page, text: string) =>
  holds(
    page,
    `(document.querySelector(".slots")?.textContent ?? "").includes(${JSON.stringify(text)})`,
  );

Deno.test({
  name: "changes of objects reach every window, whoever makes them",
  ignore: NO_BROWSER !== undefined,
  // The driver keeps what it knows of the browser's process for a moment after it has ended.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(test) {
    using repository = new Repository(PROJECT);
    await repository.ingest();
    let served = await ServedPage.start(repository.path, "--no-watch");
    await using chromium = await Chromium.start();
    const one = await chromium.open();
    await one.goto(served.url);
    await one.locator(".examples li").first().waitFor();
    const other = await chromium.open();
    await other.goto(served.url);
    await other.locator(".examples li").first().waitFor();
    const set = async (value: string) => {
      const { code, err } = await repository.run(["image", "set", "todo", "owner", value]);
      assert.equal(code, 0, err);
    };

    try {
      await test.step("an object that is made in one window appears in the other", async () => {
        await other.goto(`${served.base}/#/objects`);
        await other.locator(".inline-form input").first().waitFor();
        await one.goto(`${served.base}/#/objects`);
        await one.locator(".inline-form input").first().fill("todo");
        await one.keyboard.press("Enter");
        await one.locator(".inspector .slots").waitFor();
        await other.locator(".thing a").first().waitFor();
        await holds(
          other,
          `[...document.querySelectorAll(".thing strong")].some((e) => e.textContent === "todo")`,
        );
      });

      await test.step("a slot that is edited in one window changes in the other, without a reload", async () => {
        await other.getByRole("link", { name: /^todo/ }).click();
        await other.locator(".inspector .slots").waitFor();
        await one.locator(".inspector input[placeholder=name]").fill("owner");
        await one.locator(".inspector input[placeholder^=JSON]").fill("Ada");
        await one.keyboard.press("Enter");
        await shows(other, "Ada");
        await one.getByRole("button", { name: "Change owner" }).click();
        await one.locator(".slots input").fill('"Grace"');
        await one.keyboard.press("Enter");
        await shows(other, "Grace");
        await shows(one, "Grace");
      });

      await test.step("what a command line sets is shown at once", async () => {
        await set("Barbara");
        await shows(one, "Barbara");
        await shows(other, "Barbara");
      });

      await test.step("what a client over ZeroMQ sets is shown at once", async () => {
        await using client = new KernelClient({ folder: repository.at(".batos") });
        await client.connect();
        const { result } = await client.call("image_get", briefOf("image_get", ["todo"]));
        const { oid } = result as { oid: string };
        await client.call("update_property", {
          target_oid: oid,
          property_name: "owner",
          property_value: { first: "Frances", born: 1932 },
        });
        await shows(one, "1932");
        await shows(other, "Frances");
      });

      await test.step("somebody who is typing is told of a change, and loses nothing", async () => {
        await one.getByRole("button", { name: "Change owner" }).click();
        await one.locator(".slots input").fill('"mine"');
        await set("Radia");
        await one.locator(".slots .note").waitFor();
        assert.match(
          await one.locator(".slots .note").textContent() ?? "",
          /Changed meanwhile, to: Radia/,
        );
        assert.equal(await one.evaluate(`document.querySelector(".slots input").value`), '"mine"');
        await one.keyboard.press("Escape");
        await one.locator(".slots input").waitFor({ state: "detached" });
      });

      await test.step("a thing that is moved in one window lies there in the other; all can be put back", async () => {
        const place = (page: Page) =>
          page.evaluate<string>(
            `(({ offsetLeft, offsetTop }) => [offsetLeft, offsetTop].join())(document.querySelector(".thing.chosen"))`,
          );
        const before = await place(other);
        await one.locator(".thing.chosen a").focus();
        await one.keyboard.press("ArrowDown");
        const [x, y] = before.split(",").map(Number);
        await holds(
          other,
          `document.querySelector(".thing.chosen").offsetTop === ${
            y! + 16
          } && document.querySelector(".thing.chosen").offsetLeft === ${x}`,
        );
        assert.ok(await other.locator(".world path").count() > 0, "a line leads to its prototype");
        await other.getByRole("button", { name: "Put everything back" }).click();
        await holds(one, `document.querySelector(".thing.chosen").offsetTop === ${y}`);
      });

      await test.step("a message is sent with a click, and its answer is shown", async () => {
        await one.getByRole("button", { name: "slotNames", exact: true }).click();
        await one.locator("output").waitFor();
        assert.match(await one.locator("output").textContent() ?? "", /owner/);
      });

      await test.step("windows that are open when the kernel ends show what was changed until it is back", async () => {
        await served.stop();
        await one.locator(".banner").waitFor();
        await set("Hedy");
        served = await ServedPage.start(repository.path, "--no-watch");
        await one.locator(".banner").waitFor({ state: "detached" });
        await shows(one, "Hedy");
        await shows(other, "Hedy");
      });

      await test.step("what runs through another door is listed, and can be cancelled here", async () => {
        await using client = new KernelClient({ folder: repository.at(".batos") });
        await client.connect();
        const ended = client.call("audit", briefOf("audit", [], { follow: true }))
          .then(() => "done", (error: Error) => error.message);
        const summary = one.locator(".runs summary");
        await summary.waitFor();
        assert.match(await summary.textContent() ?? "", /1 running/);
        await summary.click();
        await one.getByRole("button", { name: /^Cancel audit/ }).click();
        assert.match(await ended, /cancelled/);
        await one.locator(".runs").waitFor({ state: "detached" });
      });
      assert.deepEqual(chromium.strays, []);
    } finally {
      await served[Symbol.asyncDispose]();
    }
  },
});
