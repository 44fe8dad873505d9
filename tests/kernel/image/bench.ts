/**
 * What the behaviours of images are shown on: a store, an image over it, and short ways to look.
 *
 * Owns nothing that is tested. What must hold: nothing here knows one store from another.
 */
import type { BlobFolder } from "../../../kernel/image/blobs.ts";
import type { Image } from "../../../kernel/image/image.ts";
import type { ImageStore } from "../../../kernel/image/image_store.ts";
import type { UnitOfWork } from "../../../kernel/image/unit_of_work.ts";
import type { BlobRef } from "../../../kernel/image/values.ts";

/** A kind of store, as the suite needs it. */
export interface StoreUnderTest {
  readonly name: string;
  /** A new store for an image in this empty folder, or what an earlier one left there. */
  open(folder: string, options?: { readOnly?: boolean }): ImageStore;
  /** Whether what was committed is there when it is opened again. */
  readonly persists: boolean;
  /** Changes one character of a stored record that holds `text`, behind the store, which is closed. */
  damage?(folder: string, text: string): void;
  /** Behaviours that cannot be shown over this store, by number, with the reason. */
  readonly skips: Readonly<Record<number, string>>;
}

/** What a test gets. */
export interface Bench {
  readonly image: Image;
  readonly store: ImageStore;
  readonly folder: string;
  readonly blobs: BlobFolder;
}

/** Registers one behaviour: its number in the list of 28, its name, and how it shows. */
export type Behaviour = (
  number: number,
  name: string,
  run: (bench: Bench) => Promise<void>,
) => void;

/** An object with these slots, committed. */
export async function create(image: Image, slots: Record<string, unknown>): Promise<number> {
  return await image.transact((unit) => unit.create({ slots }));
}

/** Does and commits; gives the transaction. */
export async function commit(image: Image, work: (unit: UnitOfWork) => void): Promise<number> {
  await image.transact(work);
  return image.newest;
}

/** A slot as it is now. */
export function read(image: Image, oid: number, name: string): unknown {
  using unit = image.begin();
  return unit.get(oid, name);
}

/** A slot as it was. */
export function readAt(image: Image, tid: number, oid: number, name: string): unknown {
  using unit = image.at(tid);
  return unit.get(oid, name);
}

/** The text of a blob in a slot. */
export async function text(unit: UnitOfWork, oid: number, name: string): Promise<string> {
  return await new Response(unit.openBlob(unit.get(oid, name) as BlobRef)).text();
}

/** The same, as it was. */
export async function textAt(
  image: Image,
  tid: number,
  oid: number,
  name: string,
): Promise<string> {
  using unit = image.at(tid);
  return await text(unit, oid, name);
}

/** All lines of an export. */
export async function exportText(image: Image, root: number): Promise<string> {
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const [text] = await Promise.all([new Response(readable).text(), image.export(root, writable)]);
  return text;
}
