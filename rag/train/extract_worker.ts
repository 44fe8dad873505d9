/**
 * A thread that turns packages into bags, one after the other.
 *
 * What must hold: one reply for each request, in order; what is sent back is handed over, not copied.
 */
import { bagsOf, type PackageBags } from "./bags.ts";
import { sourceFiles, type TrainingPackage } from "./packages.ts";

export interface ExtractRequest {
  readonly archive: string;
  readonly pkg: TrainingPackage;
  readonly seed: number;
}

export type ExtractReply = { readonly bags: PackageBags } | { readonly error: string };

const scope = self as unknown as {
  onmessage: ((event: MessageEvent<ExtractRequest>) => void) | null;
  postMessage(reply: ExtractReply, transfer: ArrayBufferLike[]): void;
};

scope.onmessage = async ({ data: { archive, pkg, seed } }) => {
  try {
    const bags = await bagsOf(`${pkg.source}:${pkg.name}`, sourceFiles(archive, pkg), seed);
    scope.postMessage({ bags }, [bags.entries.buffer, bags.ends.buffer, bags.kinds.buffer]);
  } catch (error) {
    scope.postMessage(
      {
        error: `cannot read "${pkg.name}" ${pkg.version}: ${
          error instanceof Error ? error.message : error
        }`,
      },
      [],
    );
  }
};
