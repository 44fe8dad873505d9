/** A small real repository in a temporary folder, ingested into a real memory. */
import { join } from "node:path";
import { readTree } from "../../ingest/mod.ts";
import { type Memory, openMemory } from "../../rag/mod.ts";

/** Writes `files`, ingests them, hands memory and folder to `run`, and removes the folder; gives what `run` gives. */
export async function withRepository<T>(
  files: Readonly<Record<string, string>>,
  run: (memory: Memory, root: string) => T | Promise<T>,
): Promise<T> {
  const root = await Deno.realPath(await Deno.makeTempDir({ prefix: "batos-repository-" }));
  try {
    for (const [path, text] of Object.entries(files)) {
      await Deno.mkdir(join(root, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(root, path), text);
    }
    using memory = openMemory(root);
    await memory.absorb(readTree(root, memory.known()));
    return await run(memory, root);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** A parser, its tests and its words: enough to ask about. */
export const SHOP: Readonly<Record<string, string>> = {
  "README.md":
    "# Shop\n\nA tiny shop. Orders are priced in cents.\n\n## Discounts\n\nA discount code lowers the price of an order; `parseDiscount` reads it.\n",
  "src/discount.ts":
    `/** Reads a discount code such as "SAVE20". Throws RangeError when the share is above 90 percent. */
export function parseDiscount(code: string): number {
  const share = Number(code.replace(/^SAVE/, ""));
  // More than 90 percent would sell below cost.
  if (share > 90) throw new RangeError(\`discount \${code} is above 90 percent\`);
  return share / 100;
}

/** Lowers a price by a share, rounded to whole cents. */
export function applyDiscount(cents: number, share: number): number {
  return Math.round(cents * (1 - share));
}
`,
  "src/order.ts": `import { applyDiscount, parseDiscount } from "./discount.ts";

/** An order of the shop: lines with prices, and perhaps a discount code. */
export class Order {
  readonly #lines: { name: string; cents: number }[] = [];

  /** Adds a line. */
  add(name: string, cents: number): void {
    this.#lines.push({ name, cents });
  }

  /** Price to pay in cents, the discount taken off. */
  total(code?: string): number {
    const sum = this.#lines.reduce((cents, line) => cents + line.cents, 0);
    return code ? applyDiscount(sum, parseDiscount(code)) : sum;
  }
}
`,
  "tests/order_test.ts": `import { Order } from "../src/order.ts";

Deno.test("an order takes the discount off", () => {
  const order = new Order();
  order.add("tea", 1000);
  if (order.total("SAVE20") !== 800) throw new Error("wrong total");
});
`,
};
