/**
 * A server of vLLM's endpoints for adapters on loopback: it answers as vLLM does, and reads the files it is sent to.
 */

/** A request as it came in. */
export interface LoraRequest {
  readonly path: string;
  readonly body: { readonly lora_name?: string; readonly lora_path?: string };
}

/** See the module text. */
export class LoraServer implements AsyncDisposable {
  /** Folder by name of what is loaded. */
  readonly loaded = new Map<string, string>();
  readonly requests: LoraRequest[] = [];
  /** Stands before the right answer. */
  fault: ((request: LoraRequest) => Response | Promise<Response> | undefined) | undefined;
  readonly #server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    (request) => this.#answer(request),
  );

  /** Base address, as `openai:` takes it. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.addr as Deno.NetAddr).port}/v1`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  async #answer(request: Request): Promise<Response> {
    const path = new URL(request.url).pathname;
    if (path === "/v1/models") {
      return Response.json({
        object: "list",
        data: [
          { id: "base", max_model_len: 4096 },
          ...[...this.loaded.keys()].map((id) => ({ id })),
        ],
      });
    }
    const asked: LoraRequest = { path, body: await request.json() };
    this.requests.push(asked);
    const spoiled = await this.fault?.(asked);
    if (spoiled !== undefined) return spoiled;
    const { lora_name: name = "", lora_path: folder = "" } = asked.body;
    const refuse = (status: number, message: string) =>
      Response.json({ error: { message, type: "BadRequestError", code: status } }, { status });
    if (path === "/v1/load_lora_adapter") {
      if (this.loaded.has(name)) {
        return refuse(400, `The lora adapter '${name}' has already been loaded.`);
      }
      try {
        JSON.parse(Deno.readTextFileSync(`${folder}/adapter_config.json`));
        Deno.statSync(`${folder}/adapter_model.safetensors`);
      } catch {
        return refuse(404, `Loading lora ${name} failed: No adapter found for ${folder}`);
      }
      this.loaded.set(name, folder);
      return new Response(`Success: LoRA adapter '${name}' added successfully.`);
    }
    if (path === "/v1/unload_lora_adapter") {
      return this.loaded.delete(name)
        ? new Response(`Success: LoRA adapter '${name}' removed successfully.`)
        : refuse(404, `The lora adapter '${name}' cannot be found.`);
    }
    return Response.json({ detail: "Not Found" }, { status: 404 });
  }
}
