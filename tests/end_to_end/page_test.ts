/**
 * The page in a real browser, served by a real kernel: what somebody who opens it can do, with a mouse, with keys alone, and what
 * nobody else can.
 */
import assert from "node:assert/strict";
import { Chromium, NO_BROWSER, type Page } from "../support/chromium.ts";
import { PAGE_AUDIT, TAB_STOP } from "../support/page_audit.ts";
import { ServedPage } from "../support/served_page.ts";
import { PROJECT, Repository } from "./harness.ts";

if (NO_BROWSER !== undefined) console.warn(`tests of the page are skipped: ${NO_BROWSER}`);

/** What a test works with. */
interface Parts {
  readonly repository: Repository;
  readonly served: ServedPage;
  readonly chromium: Chromium;
  /** A window of its own that has been let in. */
  readonly page: Page;
}

const steps: [name: string, body: (parts: Parts) => Promise<void>][] = [];

/** One thing that the page does. All of them share a kernel and a browser, since both take a second to start. */
function withPage(name: string, body: (parts: Parts) => Promise<void>): void {
  steps.push([name, body]);
}

/** Waits until an expression is true in the page. */
async function holds(page: Page, expression: string): Promise<void> {
  for (let turn = 0; !await page.evaluate<boolean>(expression); turn++) {
    assert.ok(turn < 300, `waited in vain for: ${expression}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}

/** Goes to an address within the page. */
async function visit(page: Page, served: ServedPage, hash: string): Promise<void> {
  await page.goto(`${served.base}/${hash}`);
  await page.reload();
}

withPage(
  "a first visit reads the repository, offers questions about it, and an answer's citation opens its lines",
  async ({ chromium, page }) => {
    await page.locator(".examples li").first().waitFor();
    assert.match(await page.locator("h1").textContent() ?? "", /^Ask about batos_e2e_/);
    assert.match(await page.locator(".status").textContent() ?? "", /^\d+ files read$/);
    assert.ok(!page.url().includes("token"), "the key is gone from the address");

    await page.locator("#question").fill("How is the retry delay computed?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").waitFor();
    assert.match(
      await page.locator(".foundation").textContent() ?? "",
      /citations? checked on disk/,
    );
    const place = page.locator(".answer a.place").first();
    const [, path, start] = /^(.+):(\d+)/.exec(await place.textContent() ?? "") ?? [];
    await place.click();
    const marked = page.locator(".source .line.marked");
    await marked.first().waitFor();
    assert.equal(
      await page.evaluate(`document.querySelector(".source .line.marked").dataset.line`),
      start,
    );
    assert.ok(await marked.first().isVisible());
    assert.equal(await page.locator(".source .facts a").textContent(), path);
    assert.ok(await page.locator(".source [class^=hl-]").count() > 0, "it is highlighted");

    // What follows up is meant with what was asked before.
    await page.locator("#question").fill("And where is it tested?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").nth(1).waitFor();
    assert.match(
      (await page.locator(".turn").nth(1).textContent()) ?? "",
      /tests\/backoff_test\.ts/,
    );

    // Back and Escape close it; a reload keeps the answer.
    await page.goBack();
    await page.locator(".source").waitFor({ state: "detached" });
    await page.locator(".answer a.place").first().click();
    await page.locator(".source").waitFor();
    await page.keyboard.press("Escape");
    await page.locator(".source").waitFor({ state: "detached" });
    await page.reload();
    await page.locator(".answer").first().waitFor();
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.locator(".welcome").waitFor();
    chromium.assertClean();
  },
);

withPage(
  "each window has a conversation of its own; those of before can be gone on with, and forgotten",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    const other = await chromium.openBeside(page);
    await other.goto(`${served.base}/`);
    await other.locator(".examples li").first().waitFor();
    const ask = async (where: Page, question: string, turn: number) => {
      await where.bringToFront();
      await where.locator("#question").fill(question);
      await where.keyboard.press("Enter");
      await where.locator(".foundation").nth(turn).waitFor();
      return await where.locator(".turn").nth(turn).textContent() ?? "";
    };
    await ask(page, "Where is `retryDelay` defined?", 0);
    await ask(other, "Where is `postage` defined?", 0);
    assert.match(await ask(page, "and who calls it?", 1), /retryDelay/);
    assert.match(await ask(other, "and who calls it?", 1), /postage/);

    await page.bringToFront();
    // A reload keeps to the window's own; a new conversation leaves the old one in the list, for other windows too.
    await page.reload();
    await page.locator(".turn").nth(1).waitFor();
    assert.match(await page.locator(".turn h2").first().textContent() ?? "", /retryDelay/);
    await page.getByRole("button", { name: "New conversation" }).click();
    await page.locator(".earlier .row-title").nth(1).waitFor();
    assert.deepEqual((await page.locator(".earlier .row-title").allTextContents()).toSorted(), [
      "Where is `postage` defined?",
      "Where is `retryDelay` defined?",
    ]);
    await page.getByRole("button", { name: /^Where is `retryDelay` defined/ }).click();
    assert.match(await ask(page, "and where is it tested?", 2), /backoff_test/);
    await page.getByRole("button", { name: "New conversation" }).click();
    // What is forgotten leaves the image, this list, and the windows that have it open.
    const inTheImage = async () => {
      const response = await fetch(`${served.base}/api/conversation_list`, {
        method: "POST",
        headers: { authorization: `Bearer ${served.token}`, "content-type": "application/json" },
        body: "{}",
      });
      const [{ conversations }] = (await response.json()).results;
      return JSON.stringify(conversations);
    };
    assert.match(await inTheImage(), /postage/);
    await page.getByRole("button", { name: "Forget: Where is `postage` defined?" }).click();
    await holds(page, `document.querySelectorAll(".earlier li").length === 1`);
    const said = page.locator(".overview .facts[role=status]");
    await said.waitFor();
    assert.match(
      await said.textContent() ?? "",
      /^Forgotten, in this browser and in the image\. .*“batos image undo \d+” brings it back there\. The audit trail keeps what was asked\.$/,
    );
    assert.doesNotMatch(await inTheImage(), /postage/);
    assert.match(await inTheImage(), /retryDelay/);
    await other.locator(".welcome").waitFor();
    assert.equal(await other.locator(".turn").count(), 0);
    chromium.assertClean();
  },
);

withPage(
  "search finds while one types, and the arrow keys go through what was found",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    await visit(page, served, "#/search");
    await page.locator("#query").focus();
    await page.keyboard.type("retry delay");
    await page.locator(".hit mark").first().waitFor();
    assert.ok(page.url().endsWith("#/search?q=retry+delay"), page.url());
    const first = await page.locator(".hit .place").first().textContent();
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowDown");
    await page.keyboard.press("ArrowUp");
    await page.keyboard.press("Enter");
    await page.locator(".source .line.marked").first().waitFor();
    assert.ok(first!.startsWith(await page.locator(".source .facts a").textContent() ?? "?"));
    await page.locator(".filters input").fill("none/**");
    await holds(
      page,
      `document.querySelector(".search .summary").textContent.startsWith("Nothing matches")`,
    );
    chromium.assertClean();
  },
);

withPage(
  "the map goes down to definitions, and a definition shows its connections and what it may break",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    await visit(page, served, "#/map");
    await page.getByRole("button", { name: "Open src" }).click();
    await page.locator(".tree .tree a").first().waitFor();
    await page.getByRole("link", { name: "backoff.ts", exact: true }).click();
    await page.locator(".definitions li").first().waitFor();
    await page.locator(".definitions .connect").first().click();
    await page.locator(".picture .centre").waitFor();
    assert.ok(await page.locator(".side.callers .node").count() > 0);
    assert.ok(await page.locator(".picture path").count() > 0, "lines lead to them");
    await page.getByRole("button", { name: "What a change may break" }).click();
    await page.locator(".symbol .lead").waitFor();
    assert.match(await page.locator(".symbol .lead").textContent() ?? "", /may be affected/);
    await visit(page, served, "#/symbol/retryDelai");
    await page.locator(".chips a").first().waitFor();
    assert.ok((await page.locator(".chips a").allTextContents()).includes("retryDelay"));
    chromium.assertClean();
  },
);

withPage(
  "an object is made, changed, moved, and is so in another window at once and tomorrow",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    await visit(page, served, "#/objects");
    await page.locator(".inline-form input").first().fill("todo");
    await page.keyboard.press("Enter");
    await page.locator(".inspector").waitFor();
    await holds(page, `document.getElementById("object-name").textContent === "todo"`);
    await page.locator(".inspector input[placeholder=name]").fill("owner");
    await page.locator(".inspector input[placeholder^=JSON]").fill("Ada");
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: "Change owner" }).click();
    await page.locator(".slots input").fill('{"first":"Ada","born":1815}');
    await page.keyboard.press("Enter");
    await holds(
      page,
      `[...document.querySelectorAll(".slots .value")].some((v) => v.textContent.includes("1815"))`,
    );
    await page.locator(".inspector input[placeholder=printString]").fill("owner");
    await page.keyboard.press("Enter");
    await page.locator("output").waitFor();
    assert.match(await page.locator("output").textContent() ?? "", /1815/);

    const thing = page.locator(".thing.chosen a");
    await thing.scrollIntoViewIfNeeded();
    const before = (await thing.boundingBox())!;
    /** Where the thing lies on the canvas. */
    const lies = `(({ offsetLeft, offsetTop }) => [offsetLeft, offsetTop].join())(
      document.querySelector(".thing.chosen") ?? {})`;
    const [x = 0, y = 0] = (await page.evaluate<string>(lies)).split(",").map(Number);
    /** Waits until the thing lies so far from where it lay. */
    const stands = (right: number, down: number) =>
      holds(page, `${lies} === "${x + right},${y + down}"`);
    await page.mouse.move(before.x + 20, before.y + 20);
    await page.mouse.down();
    await page.mouse.move(before.x + 120, before.y + 70, { steps: 4 });
    await page.mouse.up();
    await stands(100, 50);
    await thing.focus();
    await page.keyboard.press("ArrowRight");
    await stands(116, 50);
    // It is written once the keys have been quiet for a moment.
    const written = async () => {
      const response = await fetch(`${served.base}/api/image_get`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${served.token}`,
          "content-type": "application/json",
        },
        body: '{"object":"world_morph"}',
      });
      return (await response.text()).includes(`[${x + 116},${y + 50}]`);
    };
    for (let turn = 0; !await written(); turn++) {
      assert.ok(turn < 300, "waited in vain for the place to be written");
      await new Promise((done) => setTimeout(done, 50));
    }
    await page.reload();
    await page.locator(".thing.chosen a").waitFor();
    await holds(
      page,
      `document.querySelectorAll(".thing").length > 1 && document.querySelector(".inspector .facts") !== null`,
    );
    await stands(116, 50);
    chromium.assertClean();
  },
);

withPage(
  "the trail shows what was asked, and that nothing in it was changed",
  async ({ chromium, page, served, repository }) => {
    await page.locator(".examples li").first().waitFor();
    await page.locator("#question").fill("Where is retryDelay used?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").waitFor();
    await visit(page, served, "#/trail");
    await page.getByRole("button", { name: "Check the chain" }).click();
    await holds(
      page,
      `document.querySelector(".trail [role=status]").textContent.startsWith("Whole:")`,
    );
    const titles = await page.locator(".timeline strong").allTextContents();
    assert.ok(titles.includes("Where is retryDelay used?"), titles.join(", "));
    await page.locator(".timeline summary").first().click();
    await page.locator(".events .event-text").first().waitFor();
    const path = repository.at(".batos/metacognition.jsonl");
    const trail = Deno.readTextFileSync(path);
    Deno.writeTextFileSync(path, trail.replace("retryDelay used", "retryDelay lost"));
    await page.getByRole("button", { name: "Check the chain" }).click();
    await holds(
      page,
      `document.querySelector(".trail [role=status]").textContent.startsWith("Broken at line")`,
    );
    chromium.assertClean();
  },
);

withPage(
  "keys alone are enough: to ask, to open a citation, to close it, to change the view",
  async ({ chromium, page }) => {
    await page.locator(".examples li").first().waitFor();
    const focus = () =>
      page.evaluate<string>(`(() => { const e = document.activeElement;
      return (e.textContent || e.id || e.tagName).trim(); })()`);
    /** Presses Tab until the focus is on something; the order is that of the page. */
    const tabTo = async (wanted: RegExp) => {
      for (let i = 0; i < 60; i++) {
        if (wanted.test(await focus())) return;
        await page.keyboard.press("Tab");
      }
      assert.fail(`no way with Tab to ${wanted}; the focus is on "${await focus()}"`);
    };
    await page.keyboard.type("Where is retryDelay used?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").waitFor();
    // Every stop on the way can be seen to have the focus.
    await tabTo(/^src\/.*:\d+/);
    const ring = await page.evaluate<string>(
      "getComputedStyle(document.activeElement).outlineStyle",
    );
    assert.notEqual(ring, "none");
    const place = await focus();
    await page.keyboard.press("Enter");
    await page.locator(".source").waitFor();
    assert.ok(place.includes(await focus()), `the panel has the focus: ${await focus()}`);
    await page.keyboard.press("Escape");
    await page.locator(".source").waitFor({ state: "detached" });
    assert.equal(await focus(), place, "the focus is back where it was");
    await tabTo(/^Skip to the content$/);
    await tabTo(/^Search$/);
    await page.keyboard.press("Enter");
    await holds(page, `document.activeElement.id === "query"`);
    chromium.assertClean();
  },
);

withPage(
  "without the key there is nothing to see; pasting it lets one in",
  async ({ chromium, served }) => {
    const page = await chromium.open();
    assert.equal((await page.goto(`${served.base}/`))?.status(), 401);
    assert.match(await page.locator("h1").textContent() ?? "", /needs its key/);
    await page.locator("#token").fill("wrong".repeat(10));
    await page.keyboard.press("Enter");
    await page.locator("#token").waitFor();
    await page.locator("#token").fill(served.token);
    await page.keyboard.press("Enter");
    await page.locator("#question").waitFor();
    assert.deepEqual(chromium.strays, []);
    chromium.faults.length = 0; // The browser complains of what it was refused, as it should.
  },
);

withPage(
  "a page of another origin gets nothing, though the browser has the cookie",
  async ({ chromium, served, page }) => {
    await page.locator(".examples li").first().waitFor();
    const html = "<!doctype html><title>elsewhere</title>";
    await using elsewhere = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(html, { headers: { "content-type": "text/html" } }),
    );
    // The same window: cookies of 127.0.0.1 go to every port of it.
    await page.goto(`http://127.0.0.1:${elsewhere.addr.port}/`);
    const tries = await page.evaluate<string[]>(`(async () => {
    const base = ${JSON.stringify(served.base)};
    const results = [];
    const attempt = async (name, work) => {
      try { results.push(name + ": " + await work()); } catch { results.push(name + ": refused"); }
    };
    await attempt("get", () => fetch(base + "/api", { credentials: "include" }).then((r) => r.text()));
    await attempt("post", () => fetch(base + "/api/status", { method: "POST", credentials: "include",
      headers: { "content-type": "application/json" }, body: "{}" }).then((r) => r.text()));
    await attempt("form", () => fetch(base + "/api/status", { method: "POST", mode: "no-cors",
      credentials: "include", body: "{}" }).then((r) => r.type + r.status));
    await attempt("socket", () => new Promise((done, fail) => {
      const socket = new WebSocket(base.replace("http", "ws") + "/events");
      socket.onopen = () => done("open");
      socket.onerror = fail;
    }));
    await attempt("frame", () => new Promise((done, fail) => {
      const frame = document.createElement("iframe");
      frame.src = base + "/";
      frame.onload = () => { try { done(frame.contentDocument.title); } catch { fail(); } };
      document.body.append(frame);
    }));
    return results;
  })()`);
    assert.deepEqual(tries.filter((line) => !line.endsWith(": refused")), []);
    const events = await fetch(`${served.base}/runs`, {
      headers: { authorization: `Bearer ${served.token}` },
    });
    assert.deepEqual((await events.json()).runs, [], "and nothing runs");
    assert.deepEqual(chromium.strays, []);
    chromium.faults.length = 0; // The browser complains of what it was refused, as it should.
  },
);

withPage(
  "a kernel that is gone is said to be, and the page goes on when it is there again",
  async ({ chromium }) => {
    using repository = new Repository(PROJECT);
    const served = await ServedPage.start(repository.path);
    const page = await chromium.open();
    await page.goto(served.url);
    await page.locator(".examples li").first().waitFor();
    await served.stop();
    await page.locator(".banner").waitFor();
    assert.match(
      await page.locator(".banner").textContent() ?? "",
      /does not answer; trying again/,
    );
    // What is asked meanwhile is not lost.
    await page.locator("#question").fill("Where is retryDelay used?");
    await page.keyboard.press("Enter");
    await page.locator(".turn .problem").waitFor();
    // Port and key are those of before.
    await using again = await ServedPage.start(repository.path);
    assert.equal(again.url, served.url);
    await page.locator(".banner").waitFor({ state: "detached" });
    await page.getByRole("button", { name: "Ask it again" }).click();
    await page.locator(".foundation").waitFor();
    assert.deepEqual(chromium.strays, []);
    // The second kernel goes now: what the page still asked of it would be a complaint of the next step.
    await page.goto("about:blank");
    chromium.faults.length = 0; // Connections that were refused meanwhile.
  },
);

withPage(
  "a workspace without files says so in every view, and fills them when there is one",
  async ({ chromium }) => {
    using repository = new Repository({});
    await using served = await ServedPage.start(repository.path);
    const page = await chromium.open();
    await page.goto(served.url);
    await page.locator(".examples .summary").waitFor();
    assert.match(
      await page.locator(".examples .summary").textContent() ?? "",
      /There is nothing in batos_e2e_\w+ to read yet/,
    );
    for (const view of ["map", "symbol", "objects", "trail", "search?q=anything"]) {
      await visit(page, served, `#/${view}`);
      await page.locator("main h1").waitFor();
      await holds(page, `document.querySelectorAll(".summary, .lead").length > 0`);
      assert.equal(await page.locator(".problem").count(), 0, view);
    }
    repository.write("src/parcel.ts", PROJECT["src/parcel.ts"]!);
    await visit(page, served, "#/map");
    await page.getByRole("button", { name: "Open src" }).waitFor();
    chromium.assertClean();
    // Its kernel is killed now; what the page still waits for would be a complaint of the next step.
    await page.goto("about:blank");
  },
);

/** The views with something in each, and what is there once it is shown. */
const VIEWS: readonly (readonly [hash: string, there: string])[] = [
  ["#/ask", ".answer"],
  ["#/ask?at=src/backoff.ts:1-3", ".source .line.marked"],
  ["#/search?q=retry", ".hit mark"],
  ["#/map", ".rows"],
  ["#/map/src/backoff.ts", ".definitions"],
  ["#/symbol", ".finder"],
  ["#/symbol/retryDelay", ".picture .node"],
  ["#/symbol/retryDelay?impact=1", ".symbol .lead"],
  ["#/objects", ".thing"],
  ["#/objects/3", ".inspector .chips"],
  ["#/trail", ".timeline li"],
];

withPage(
  "every view can be read: names, roles, contrast, in the light and in the dark, from 320 pixels on",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    await page.locator("#question").fill("How is the retry delay computed?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").waitFor();
    const problems: string[] = [];
    for (const [hash, there] of VIEWS) {
      await visit(page, served, hash);
      await page.locator(there).first().waitFor();
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme });
        for (const width of [1280, 320]) {
          await page.setViewportSize({ width, height: 800 });
          for (const problem of await page.evaluate<string[]>(PAGE_AUDIT)) {
            // A narrow window shows the panel alone: the heading of the view is behind it.
            problems.push(`${hash}, ${colorScheme}, ${width}: ${problem}`);
          }
        }
      }
      await page.setViewportSize({ width: 1280, height: 800 });
    }
    assert.deepEqual(problems, []);
    chromium.assertClean();
  },
);

withPage(
  "with keys alone every stop in every view can be seen to have the focus, and has a name",
  async ({ chromium, page, served }) => {
    await page.locator(".examples li").first().waitFor();
    await page.locator("#question").fill("How is the retry delay computed?");
    await page.keyboard.press("Enter");
    await page.locator(".foundation").waitFor();
    const problems: string[] = [];
    for (const [hash, there] of VIEWS) {
      await visit(page, served, hash);
      await page.locator(there).first().waitFor();
      await page.evaluate(`document.activeElement.blur()`);
      const seen = new Set<string>();
      for (let stop = 0; stop < 60; stop++) {
        await page.keyboard.press("Tab");
        const { id, problem } = await page.evaluate<{ id: string; problem: string }>(TAB_STOP);
        if (problem !== "") problems.push(`${hash}: ${problem}`);
        if (seen.has(id)) break; // once around
        seen.add(id);
      }
      assert.ok(seen.size > 6, `${hash}: ${seen.size} stops`);
    }
    assert.deepEqual(problems, []);
    chromium.assertClean();
  },
);

withPage(
  "who wants no motion gets none, and everything stays said in words",
  async ({ chromium, page }) => {
    await page.emulateMedia({ reducedMotion: "reduce" });
    await page.locator(".examples li").first().waitFor();
    await page.evaluate(`document.querySelector(".status").insertAdjacentHTML("beforeend",
      '<span class="pulse"></span>')`);
    assert.equal(
      await page.evaluate(`getComputedStyle(document.querySelector(".pulse")).animationName`),
      "none",
    );
    assert.equal(await page.evaluate(`document.getAnimations().length`), 0);
    await page.emulateMedia({ reducedMotion: "no-preference" });
    assert.equal(
      await page.evaluate(`getComputedStyle(document.querySelector(".pulse")).animationName`),
      "pulse",
    );
    chromium.assertClean();
  },
);

Deno.test({
  name: "the page",
  ignore: NO_BROWSER !== undefined,
  // The driver keeps what it knows of the browser's process for a moment after it has ended.
  sanitizeOps: false,
  sanitizeResources: false,
  async fn(test) {
    using repository = new Repository(PROJECT);
    await using served = await ServedPage.start(repository.path);
    await using chromium = await Chromium.start();
    for (const [name, body] of steps) {
      await test.step(name, async () => {
        const page = await chromium.open();
        await page.goto(served.url);
        await body({ repository, served, chromium, page });
        await chromium.closeWindows();
      });
    }
  },
});
