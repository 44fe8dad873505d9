/**
 * `bench page`: how soon the web page can be used, and what it transfers, in a real browser from a real kernel.
 *
 * A kernel serves a small repository that was read before; each visit is a new window without a cache. What must hold: bytes are those
 * on the wire, compressed, of all that a first visit loads before it can be used; times are the browser's own, from the start of the
 * navigation.
 */
import { Chromium, NO_BROWSER } from "../tests/support/chromium.ts";
import { ServedPage } from "../tests/support/served_page.ts";
import { PROJECT, Repository } from "../tests/end_to_end/harness.ts";
import { median, quantile } from "./process.ts";

/** Visits that are timed, after one that warms the kernel. */
const VISITS = 20;

/** What the browser says of one visit. */
const MEASURE = `(() => {
  const resources = performance.getEntriesByType("resource");
  const [page] = performance.getEntriesByType("navigation");
  const files = [page, ...resources.filter(({ name }) => /\\.(js|css|svg)$/.test(name))];
  return {
    painted: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0,
    usable: performance.getEntriesByName("usable")[0].startTime,
    transferred: files.reduce((sum, { transferSize }) => sum + transferSize, 0),
    unpacked: files.reduce((sum, { decodedBodySize }) => sum + decodedBodySize, 0),
  };
})()`;

interface Visit {
  readonly painted: number;
  readonly usable: number;
  readonly transferred: number;
  readonly unpacked: number;
}

/** Visits the page; with `picture` it leaves a picture of an answer there. */
export async function benchPage(
  { log, picture }: { readonly log: (text: string) => void; readonly picture?: string },
): Promise<object> {
  if (NO_BROWSER !== undefined) throw new Error(`bench page: ${NO_BROWSER}; install chromium`);
  using repository = new Repository(PROJECT);
  await repository.ingest();
  await using served = await ServedPage.start(repository.path);
  await using chromium = await Chromium.start();
  const visits: Visit[] = [];
  for (let at = 0; at <= VISITS; at++) {
    log(`visit ${at} of ${VISITS}`);
    const fresh = await chromium.open();
    await fresh.goto(served.url);
    await fresh.locator("#question").waitFor();
    await fresh.locator(".examples li").first().waitFor();
    if (at > 0) visits.push(await fresh.evaluate<Visit>(MEASURE));
    await chromium.closeWindows();
  }
  if (picture !== undefined) await takePicture(chromium, served, picture);
  const times = (pick: (visit: Visit) => number) => {
    const sorted = visits.map(pick);
    return { p50_ms: Math.round(median(sorted)), p95_ms: Math.round(quantile(sorted, 0.95)) };
  };
  return {
    page: {
      first_paint: times(({ painted }) => painted),
      usable: times(({ usable }) => usable),
    },
    bytes: { transferred: visits[0]!.transferred, unpacked: visits[0]!.unpacked },
  };
}

/** An answer with the lines that a citation opened. */
async function takePicture(chromium: Chromium, served: ServedPage, path: string): Promise<void> {
  const page = await chromium.open({ width: 1200, height: 720 });
  await page.goto(served.url);
  await page.locator(".examples li").first().waitFor();
  await page.locator("#question").fill("How is the retry delay computed?");
  await page.keyboard.press("Enter");
  await page.locator(".foundation").waitFor();
  await page.locator(".answer a.place").first().click();
  await page.locator(".source .line.marked").first().waitFor();
  await page.screenshot({ path });
}
