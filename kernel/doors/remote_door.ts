/**
 * The door for clients elsewhere: the endpoint at an address that other machines reach, with CURVE and the list of clients that are admitted.
 *
 * Owns the second listening socket of a kernel; the first one, on loopback, is not touched by it. What must hold:
 * - it opens for nobody when nobody is on the list, and says what to do;
 * - who is not on the list is closed before anything it says is read; who is taken off it is closed while it speaks;
 * - the signatures of the contract are checked here as well, with a key of their own: what was signed for this door is worth nothing at the other one.
 */
import type { RefusalNotes } from "../audit/refusal_log.ts";
import { CommandError } from "../commands.ts";
import { formatAddress, parseAddress } from "../remote_connection.ts";
import { RemoteKeys } from "../remote_keys.ts";
import { Signer } from "./contract.ts";
import type { Endpoint, Topic } from "./endpoint.ts";
import { oneLine } from "./one_line.ts";
import { listenForPeers, selfIntroduction } from "./peers.ts";
import type { Connection } from "./zmtp/connection.ts";
import { CurveServer } from "./zmtp/curve.ts";
import type { Router } from "./zmtp/router.ts";
import { encodeZ85 } from "./zmtp/z85.ts";

/** How often the list is looked at for changes: what a person who revokes a key waits for. */
const LOOK_MS = 1_000;

/** What the door needs. */
export interface RemoteDoorOptions {
  /** `tcp://HOST:PORT`. */
  readonly listen: string;
  /** Folder of the workspace's state, where the keys are. */
  readonly folder: string;
  /** Makes the endpoint that answers here. */
  readonly endpoint: (signer: Signer) => Endpoint;
  readonly report: (line: string) => void;
  /** Takes what is turned away. */
  readonly refusals: RefusalNotes;
}

/** See the module text. */
export class RemoteDoor {
  /** Public key of the kernel, as Z85. */
  readonly serverKey: string;
  readonly #endpoint: Endpoint;
  readonly #router: Router;
  readonly #list: AdmissionList;
  readonly #timer: ReturnType<typeof setInterval>;
  /** State of the list for which connections were looked through. */
  #looked: number;

  private constructor(serverKey: string, endpoint: Endpoint, router: Router, list: AdmissionList) {
    this.serverKey = serverKey;
    this.#endpoint = endpoint;
    this.#router = router;
    this.#list = list;
    this.#looked = list.version;
    this.#timer = setInterval(() => this.#closeRevoked(), LOOK_MS);
  }

  /** @throws {CommandError} when the address is none, taken or forbidden, the keys cannot be used, or nobody is on the list */
  static async open(options: RemoteDoorOptions): Promise<RemoteDoor> {
    const { listen, folder, report, refusals } = options;
    const address = parseAddress(listen);
    if (address === undefined) {
      throw new CommandError(
        `--listen "${listen}": expected tcp://HOST:PORT; tcp://0.0.0.0:PORT is every address of this machine`,
      );
    }
    const keys = new RemoteKeys(folder);
    if (keys.clients().length === 0) {
      throw new CommandError(
        `--listen "${listen}": no client is admitted, so nobody could come in; admit one first: batos key allow NAME --address tcp://HOST:${address.port}`,
      );
    }
    const { pair, signingKey } = await keys.server();
    const list = new AdmissionList(keys, report);
    const endpoint = options.endpoint(new Signer(signingKey));
    const introduce = (peer: Connection) => {
      const name = peer.peerKey && list.nameOf(peer.peerKey);
      if (name === undefined) {
        return { name: "a stranger", conversation: crypto.randomUUID() };
      }
      // What a client calls itself is its own matter: it leads into no conversation of another one.
      const { conversation } = selfIntroduction(peer);
      return { name: `client "${name}"`, conversation: `${name} ${conversation}` };
    };
    try {
      const router = listenForPeers(endpoint, {
        ...address,
        mechanism: () =>
          new CurveServer({ keys: pair, admits: (key) => list.nameOf(key) !== undefined }),
        door: "remote",
        report,
        refusals,
        introduce,
      });
      return new RemoteDoor(encodeZ85(pair.publicKey), endpoint, router, list);
    } catch (error) {
      throw new CommandError(`--listen "${listen}": ${listenProblem(error)}`, { cause: error });
    }
  }

  /** Where it listens. */
  get address(): string {
    return formatAddress(this.#router.address);
  }

  /** How many clients are admitted. */
  get clients(): number {
    return this.#list.size;
  }

  /** Tells subscribers, as the endpoint does. */
  publish(topic: Topic, fields: Readonly<Record<string, unknown>>): void {
    this.#endpoint.publish(topic, fields);
  }

  /** Cancels what runs and waits for its end; from then on nothing is begun. */
  async stop(): Promise<void> {
    await this.#endpoint.stop();
  }

  /** Stops listening and ends the connections. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#router.close();
  }

  #closeRevoked(): void {
    this.#list.refresh();
    if (this.#looked === this.#list.version) return;
    this.#looked = this.#list.version;
    for (const peer of [...this.#router.peers]) {
      if (peer.peerKey !== undefined && this.#list.nameOf(peer.peerKey) === undefined) {
        void peer.close(true, `its key ${encodeZ85(peer.peerKey)} was revoked`, "not_admitted");
      }
    }
  }
}

/** The list of clients as it is now: read again when the file was replaced. */
class AdmissionList {
  readonly #keys: RemoteKeys;
  readonly #report: (line: string) => void;
  /** Grows whenever the list was read again. */
  version = 0;
  #stamp: string | undefined;
  #names: ReadonlyMap<string, string> = new Map();

  constructor(keys: RemoteKeys, report: (line: string) => void) {
    this.#keys = keys;
    this.#report = report;
    this.refresh();
  }

  get size(): number {
    return this.#names.size;
  }

  /** What the holder of a key is called; undefined when the key is not on the list. */
  nameOf(publicKey: Uint8Array): string | undefined {
    this.refresh();
    return this.#names.get(encodeZ85(publicKey));
  }

  /** Reads the list when it has changed. One that cannot be read admits nobody. */
  refresh(): void {
    const { stamp } = this.#keys;
    if (stamp === this.#stamp) return;
    this.#stamp = stamp;
    this.version++;
    try {
      this.#names = new Map(this.#keys.clients().map(({ publicKey, name }) => [publicKey, name]));
    } catch (error) {
      this.#names = new Map();
      this.#report(`nobody from elsewhere is admitted: ${oneLine(error)}`);
    }
  }
}

function listenProblem(error: unknown): string {
  if (error instanceof Deno.errors.AddrInUse) return "in use; name another port";
  if (error instanceof Deno.errors.AddrNotAvailable) {
    return "this machine has no such address; tcp://0.0.0.0:PORT is every one that it has";
  }
  if (error instanceof Deno.errors.NotCapable) {
    return 'this task may not listen there; "deno task serve-remote" may listen on 0.0.0.0, for another address run its line with --allow-net=HOST,127.0.0.1';
  }
  return oneLine(error);
}
