/** The image over the store in memory: the conformance suite, less what needs a file. */
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { imageConformance } from "./conformance.ts";

imageConformance({
  name: "memory",
  open: () => new MemoryImageStore(),
  persists: false,
  skips: {
    17: "memory has no tail to tear",
    18: "memory does not decay",
    20: "a store in memory begins empty, so there is nothing to open for reading",
    21: "memory belongs to one process",
  },
});
