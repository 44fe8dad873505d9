/**
 * A real browser for tests of the page: Debian's Chromium, driven by playwright-core.
 *
 * Owns where the browser is found, how it is started, and the part of the driver's interface that tests use; the driver is fetched when a
 * test first needs it and no import names it, so that nobody else fetches it. What must hold: without a browser the tests say why they are
 * skipped; a request that leaves this machine fails the test that made it.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";

/** Where the browser is looked for. */
const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const DRIVER = "playwright-core";

/** Time for anything to appear; a test that waits longer has failed. */
const PATIENCE_MS = 15_000;

/** The browser, undefined where there is none. */
export const CHROMIUM = PATHS.find((path) => existsSync(path));

/** Why tests with a browser are skipped; undefined where they run. */
export const NO_BROWSER = CHROMIUM === undefined
  ? `no browser: none of ${PATHS.join(", ")} is there`
  : undefined;

/** What is found by a selector. */
export interface Locator {
  click(): Promise<void>;
  fill(text: string): Promise<void>;
  focus(): Promise<void>;
  waitFor(options?: { state?: "visible" | "hidden" | "attached" | "detached" }): Promise<void>;
  textContent(): Promise<string | null>;
  allTextContents(): Promise<string[]>;
  count(): Promise<number>;
  first(): Locator;
  nth(index: number): Locator;
  isVisible(): Promise<boolean>;
  scrollIntoViewIfNeeded(): Promise<void>;
  boundingBox(): Promise<{ x: number; y: number; width: number; height: number } | null>;
}

/** A tab. */
export interface Page {
  context(): Context;
  goto(url: string): Promise<{ status(): number } | null>;
  reload(): Promise<unknown>;
  bringToFront(): Promise<void>;
  goBack(): Promise<unknown>;
  locator(selector: string): Locator;
  getByRole(role: string, options?: { name?: string | RegExp; exact?: boolean }): Locator;
  evaluate<R>(source: string | (() => R)): Promise<R>;
  screenshot(options: { path?: string }): Promise<Uint8Array>;
  setViewportSize(size: { width: number; height: number }): Promise<void>;
  emulateMedia(
    options: { colorScheme?: "light" | "dark"; reducedMotion?: "reduce" | "no-preference" },
  ): Promise<void>;
  setDefaultTimeout(ms: number): void;
  url(): string;
  on(event: string, listener: (value: never) => void): void;
  readonly keyboard: { press(key: string): Promise<void>; type(text: string): Promise<void> };
  readonly mouse: {
    move(x: number, y: number, options?: { steps: number }): Promise<void>;
    down(): Promise<void>;
    up(): Promise<void>;
  };
}

/** A window without a past. */
interface Context {
  newPage(): Promise<Page>;
  close(): Promise<void>;
}

interface Browser {
  newContext(options: object): Promise<Context>;
  close(): Promise<void>;
}

/** A browser that is running; dispose of it. */
export class Chromium implements AsyncDisposable {
  /** Addresses that were asked for outside this machine, and what the pages complained about. */
  readonly strays: string[] = [];
  readonly faults: string[] = [];
  readonly #browser: Browser;
  readonly #contexts: Context[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async start(): Promise<Chromium> {
    const { chromium } = await import(DRIVER);
    return new Chromium(
      await chromium.launch({ executablePath: CHROMIUM, args: FLAGS, chromiumSandbox: false }),
    );
  }

  /** Opens a tab in a window of its own. */
  async open(options: { width?: number; height?: number; dark?: boolean } = {}): Promise<Page> {
    const { width = 1280, height = 800, dark = false } = options;
    const context = await this.#browser.newContext({
      viewport: { width, height },
      colorScheme: dark ? "dark" : "light",
    });
    this.#contexts.push(context);
    return await this.#openIn(context);
  }

  /** Opens a tab beside another one: they share what a browser keeps. */
  async openBeside(page: Page): Promise<Page> {
    return await this.#openIn(page.context());
  }

  async #openIn(context: Context): Promise<Page> {
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on(
      "request",
      ((request: { url(): string }) => {
        if (!/^(https?|wss?):\/\/(127\.0\.0\.1|localhost)[:/]|^data:|^about:/.test(request.url())) {
          this.strays.push(request.url());
        }
      }) as never,
    );
    page.on("pageerror", ((error: Error) => this.faults.push(error.message)) as never);
    page.on(
      "console",
      ((message: { type(): string; text(): string }) => {
        // A reload cuts off what is being loaded.
        const isCutOff = /net::ERR_(ABORTED|CONNECTION_RESET)$/.test(message.text());
        if (message.type() === "error" && !isCutOff) this.faults.push(message.text());
      }) as never,
    );
    return page;
  }

  /** Fails when a page asked for something elsewhere, or complained. */
  assertClean(): void {
    assert.deepEqual(this.strays, [], "requests that leave this machine");
    assert.deepEqual(this.faults, [], "complaints of the pages");
  }

  /** Closes all windows. */
  async closeWindows(): Promise<void> {
    for (const context of this.#contexts.splice(0)) await context.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.closeWindows();
    await this.#browser.close();
  }
}
