/**
 * Results of the commands about keys, as text for people.
 *
 * Owns the looks of `table/keys.ts`; see `render.ts` for what must hold.
 */
import type { keyCommands } from "../table/keys.ts";
import { type Look, type Renderers, safe } from "./look.ts";
import { pad } from "./terminal.ts";

/** One function a command. */
export const keyRenderers: Renderers<keyof typeof keyCommands> = {
  key_allow({ name, file, has_secret }, look: Look) {
    const { bold, cyan, dim } = look.colours;
    const what = has_secret
      ? "It holds a secret that is nowhere else: bring it to the client over a way that you trust,\nthen remove it here. "
      : "No secret is in it: the client has its own. ";
    return [
      `${bold(safe(name, look))} is admitted`,
      `  ${dim("file")}  ${cyan(safe(file, look))}`,
      dim(
        `${what}There: deno task console-remote --connection FILE${
          has_secret ? "" : " --key KEY_FILE"
        }`,
      ),
    ].join("\n");
  },

  key_list({ clients }, look: Look) {
    const { bold, dim } = look.colours;
    if (clients.length === 0) return dim('no client is admitted; "batos key allow" admits one');
    const width = Math.max(...clients.map(({ name }) => name.length));
    return clients.map(({ name, public_key, added }) =>
      `${bold(pad(safe(name, look), width))}  ${public_key}  ${dim(`since ${added.slice(0, 10)}`)}`
    ).join("\n");
  },

  key_revoke({ name, revoked }, look: Look) {
    const client = safe(name, look);
    return revoked ? `${client} is admitted no longer` : `no client "${client}" is admitted`;
  },

  key_new({ file, public_key }, look: Look) {
    const { bold, cyan, dim } = look.colours;
    return `${bold(public_key)}\n${dim("public key; the secret is in")} ${cyan(safe(file, look))}`;
  },

  key_server: ({ server_key }) => server_key,
};
