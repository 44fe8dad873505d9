/**
 * The thread of `WorkerBatchWriter`: one store, one writer, requests in order, one answer each.
 *
 * What must hold: an error is answered, not thrown, and nothing is stored after it; the connection is closed before the last
 * answer.
 */
import { BatchWriter, type WriterReply, type WriterRequest } from "./batch_writer.ts";
import { openEncoder } from "./embed/encoder.ts";
import { Store } from "./store.ts";

interface Scope {
  onmessage: ((event: MessageEvent<WriterRequest>) => void) | null;
  postMessage(reply: WriterReply): void;
}

const scope = globalThis as unknown as Scope;
let store: Store | undefined;
let writer: BatchWriter | undefined;
let failed: string | undefined;
/** Opening takes its time: what comes meanwhile waits its turn. */
let last: Promise<void> = Promise.resolve();

scope.onmessage = ({ data }) => {
  last = last.then(() => answer(data));
};

async function answer(request: WriterRequest): Promise<void> {
  try {
    if (failed === undefined) await perform(request);
  } catch (error) {
    failed = error instanceof Error ? error.message : String(error);
    writer?.stop();
    store?.close();
    store = writer = undefined;
  }
  scope.postMessage(failed === undefined ? {} : { error: failed });
}

async function perform(request: WriterRequest): Promise<void> {
  switch (request.type) {
    case "open":
      store = new Store(request.path);
      writer = new BatchWriter(
        store,
        request.limit,
        request.encoder === undefined ? undefined : await openEncoder(request.encoder),
      );
      break;
    case "files":
      for (const file of request.files) writer!.put(file);
      break;
    case "finish":
      writer!.finish();
      store!.close();
      break;
    case "stop":
      writer!.stop();
      store!.close();
      break;
  }
}
