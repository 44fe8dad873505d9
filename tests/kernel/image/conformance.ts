/**
 * What an image does over any store, one named test for each of the behaviours that ZODB's own tests assert of transactions.
 *
 * Owns the contract of `kernel/image/image_store.ts` in words of behaviour (`conformance_*.ts`). What must hold: nothing here knows one
 * store from another; what a store cannot show is left out with its reason, which stands in the name of the test.
 */
import { join } from "node:path";
import { BlobFolder } from "../../../kernel/image/blobs.ts";
import { Image } from "../../../kernel/image/image.ts";
import type { Behaviour, StoreUnderTest } from "./bench.ts";
import { keepingBehaviours } from "./conformance_keeping.ts";
import { pastBehaviours } from "./conformance_past.ts";
import { unitBehaviours } from "./conformance_units.ts";

/** Registers the suite. */
export function imageConformance(under: StoreUnderTest): void {
  const behaviour: Behaviour = (number, name, run) => {
    const reason = under.skips[number];
    if (reason !== undefined) {
      Deno.test.ignore(`${under.name}, ${number}: ${name} (left out: ${reason})`, () => {});
      return;
    }
    Deno.test(`${under.name}, ${number}: ${name}`, async () => {
      const folder = Deno.makeTempDirSync({ prefix: "batos_image_" });
      try {
        const blobs = new BlobFolder(join(folder, "blobs"));
        const store = under.open(folder);
        using image = await Image.open(store, { blobs });
        await run({ image, store, folder, blobs });
      } finally {
        Deno.removeSync(folder, { recursive: true });
      }
    });
  };

  unitBehaviours(behaviour, under);
  pastBehaviours(behaviour);
  keepingBehaviours(behaviour, under);
}
