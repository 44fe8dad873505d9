/**
 * Finds annotation files and a checkout for each: what `retrieval`, `tokens` and `ask` run on.
 *
 * What must hold: a repository without a checkout is left out and named, never scored as zero.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { REPOSITORY } from "./batos.ts";
import { annotatedCheckout, annotatedFolder, type Log } from "./corpora.ts";
import { readAnnotations } from "./retrieval.ts";

/** The annotations that ship: about this repository. */
export const OWN_ANNOTATIONS = join(REPOSITORY, "bench", "queries");

/** A folder of annotation files, and a folder that has a checkout for each of them. */
export class AnnotatedSets implements Disposable {
  private constructor(
    readonly annotations: string,
    readonly checkouts: string,
    readonly repositories: readonly string[],
    readonly leftOut: readonly string[],
  ) {}

  /**
   * @param annotations folder of annotation files; by default the ones about this repository.
   * @param checkouts folder of checkouts; by default they are made from npm packages where npm has the sources.
   * @throws {Error} when there is no annotation file, or no checkout for any.
   */
  static async find(
    annotations: string | undefined,
    checkouts: string | undefined,
    log: Log,
  ): Promise<AnnotatedSets> {
    const folder = annotations ?? OWN_ANNOTATIONS;
    const all = existsSync(folder) ? readAnnotations(folder) : [];
    if (all.length === 0) {
      throw new Error(
        `cannot find annotated queries in "${folder}": no .json file; give --annotations DIR`,
      );
    }
    const found: string[] = [];
    const leftOut: string[] = [];
    const staged = mkdtempSync(join(tmpdir(), "batos-bench-"));
    for (const one of all) {
      const { repo } = one;
      const there = checkouts === undefined
        ? await annotatedCheckout(repo, log)
        : existsSync(join(checkouts, repo));
      (there ? found : leftOut).push(repo);
      if (there) writeFileSync(join(staged, `${repo}.json`), JSON.stringify(one));
    }
    if (found.length === 0) {
      rmSync(staged, { recursive: true });
      throw new Error(
        `cannot run the queries of ${
          leftOut.join(", ")
        }: no checkout; give --checkouts DIR with a folder for each`,
      );
    }
    if (leftOut.length) log(`left out, no checkout: ${leftOut.join(", ")}`);
    return new AnnotatedSets(staged, checkouts ?? annotatedFolder(), found, leftOut);
  }

  [Symbol.dispose](): void {
    rmSync(this.annotations, { recursive: true, force: true });
  }
}
