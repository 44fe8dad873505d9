/**
 * The connection file of a running kernel: where it listens, and the key that messages to it are signed with.
 *
 * Owns `.batos/connection.json`. What must hold: only its owner can read it (mode 0600), at every moment; nobody ever reads half a file; it is gone
 * when its kernel is. A kernel that was killed leaves it behind: whether one runs is told by its lock (`kernelHolder`), not by this file.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { type LockHolder, WorkspaceLock } from "./workspace_lock.ts";

/** What is in the file. */
const connectionSchema = z.object({
  transport: z.literal("tcp"),
  ip: z.string(),
  port: z.int().min(1).max(65_535),
  /** Octets of the key as hexadecimal. */
  key: z.string().regex(/^[0-9a-f]{64,}$/),
  signature_scheme: z.literal("hmac-sha256"),
  /** Version of the program that listens. */
  version: z.string(),
  pid: z.int(),
});

/** Where a kernel listens and how it wants messages signed. */
export type ConnectionInfo = z.output<typeof connectionSchema>;

/** Lock of the only kernel of a workspace, held as long as it runs. */
export function kernelLockPath(stateFolder: string): string {
  return join(stateFolder, "kernel.lock");
}

/** Who serves a workspace now; undefined when nobody does. */
export function kernelHolder(stateFolder: string): LockHolder | "unknown" | undefined {
  return WorkspaceLock.holder(kernelLockPath(stateFolder));
}

/** Path of the connection file. */
export function connectionPath(stateFolder: string): string {
  return join(stateFolder, "connection.json");
}

/** Writes the file, in the place of one that a dead kernel left. */
export function writeConnection(stateFolder: string, info: ConnectionInfo): void {
  const path = connectionPath(stateFolder);
  const draft = `${path}.${info.pid}`;
  // What a killed kernel left under this name may have other permissions: they are given when a file is made.
  if (existsSync(draft)) Deno.removeSync(draft);
  Deno.writeTextFileSync(draft, JSON.stringify(info, null, 2) + "\n", {
    mode: 0o600,
    createNew: true,
  });
  Deno.renameSync(draft, path);
}

/** Takes the file away, unless it is another kernel's. */
export function removeConnection(stateFolder: string, pid: number): void {
  if (readConnection(stateFolder)?.pid !== pid) return;
  Deno.removeSync(connectionPath(stateFolder));
}

/** What the file says; undefined when it is missing, unreadable, or not of this form. */
export function readConnection(stateFolder: string): ConnectionInfo | undefined {
  try {
    return connectionSchema.parse(JSON.parse(Deno.readTextFileSync(connectionPath(stateFolder))));
  } catch {
    return undefined;
  }
}
