/**
 * The commands about clients elsewhere: whom the kernel of a workspace admits.
 *
 * Owns where the files of keys are found for one command; what is done with them is the kernel's (`KeyDesk`). What must hold: what deals with keys is
 * loaded by these commands alone.
 */
import { type Handlers, keyDesk, makeKeyFile } from "../../kernel/mod.ts";
import { locate } from "./place.ts";

/** The handlers. */
export const keyHandlers: Pick<
  Handlers,
  "key_allow" | "key_list" | "key_revoke" | "key_new" | "key_server"
> = {
  async key_allow({ repo, ...input }) {
    return await (await desk(repo, true)).allow(input);
  },
  async key_list({ repo }) {
    return (await desk(repo, false)).list();
  },
  async key_revoke({ repo, name }) {
    return await (await desk(repo, true)).revoke(name);
  },
  key_new: ({ file }) => makeKeyFile(file),
  async key_server({ repo }) {
    return await (await desk(repo, true)).server();
  },
};

async function desk(repo: string | undefined, writes: boolean) {
  const workspace = locate(repo);
  if (writes) workspace.requireWritable();
  return await keyDesk(workspace.folder);
}
