/**
 * The thread of `WorkerBatchWriter`: one store, one writer, requests in order, one answer each.
 *
 * What must hold: an error is answered, not thrown, and nothing is stored after it; the connection is closed before the last
 * answer.
 */
import { BatchWriter, type WriterReply, type WriterRequest } from "./batch_writer.ts";
import { Store } from "./store.ts";

interface Scope {
  onmessage: ((event: MessageEvent<WriterRequest>) => void) | null;
  postMessage(reply: WriterReply): void;
}

const scope = globalThis as unknown as Scope;
let store: Store | undefined;
let writer: BatchWriter | undefined;
let failed: string | undefined;

scope.onmessage = ({ data }) => {
  try {
    if (failed === undefined) perform(data);
  } catch (error) {
    failed = error instanceof Error ? error.message : String(error);
    writer?.stop();
    store?.close();
    store = writer = undefined;
  }
  scope.postMessage(failed === undefined ? {} : { error: failed });
};

function perform(request: WriterRequest): void {
  switch (request.type) {
    case "open":
      store = new Store(request.path);
      writer = new BatchWriter(store, request.limit);
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
