/**
 * The built files of the page, as they go over the wire.
 *
 * Owns which there are and reading them (`kernel/doors/web/built/`, which `deno task build-web` writes). What must hold: they hold nothing of
 * a workspace, so those that the page names need no token; each is read and compressed once.
 */
import { Packed } from "./packed.ts";

/** What is served: the name in the address, its file and its type. */
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  "/page.js": ["page.js", "text/javascript; charset=utf-8"],
  "/page.css": ["page.css", "text/css; charset=utf-8"],
  "/icon.svg": ["icon.svg", "image/svg+xml"],
};

const PAGE = ["page.html", "text/html; charset=utf-8"] as const;
const LOCKED = ["locked.html", "text/html; charset=utf-8"] as const;

/** See the module text. */
export class Assets {
  readonly #loaded = new Map<string, Promise<Packed>>();

  /** A static file, undefined when the path names none. */
  async serve(pathname: string, request: Request): Promise<Response | undefined> {
    const entry = Object.hasOwn(FILES, pathname) ? FILES[pathname] : undefined;
    return entry && (await this.#load(entry)).respond(request);
  }

  /** The page. */
  async page(request: Request): Promise<Response> {
    return (await this.#load(PAGE)).respond(request);
  }

  /**
   * What somebody sees who has no token.
   * @param wasWrong whether one was given
   */
  async locked(request: Request, wasWrong: boolean): Promise<Response> {
    return (await this.#load(LOCKED)).respond(request, wasWrong ? 403 : 401);
  }

  #load([file, type]: readonly [file: string, type: string]): Promise<Packed> {
    let loaded = this.#loaded.get(file);
    if (loaded === undefined) {
      const read = Deno.readFile(new URL(`../web/built/${file}`, import.meta.url));
      loaded = read.then((bytes) => Packed.of(type, bytes));
      this.#loaded.set(file, loaded);
    }
    return loaded;
  }
}
