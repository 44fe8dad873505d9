/**
 * The settings of the Composite Entropy Metric as an object of the image.
 *
 * Owns the object `cem`, its slots and what they may hold. What must hold: settings are read whole or not at all, so that a metric is
 * never taken with half of somebody's weights; a change is one transaction, with history and undo like any other.
 *
 * Slots: `weight_cog`, `weight_sol`, `weight_struc` (from 0 to 1, together 1), `band_low`, `band_high` (from 0 to 1, in this order),
 * `window` (questions), `growth_half` (elements of the image).
 */
import { type GenesisDefinition, namedObject } from "../image/genesis.ts";
import type { Image } from "../image/image.ts";
import { LOBBY_OID } from "../image/primitives.ts";
import { retried } from "../image/retried.ts";
import { type Change, changesOf } from "../image/shown_objects.ts";
import type { UnitOfWork } from "../image/unit_of_work.ts";
import { CommandError } from "../commands.ts";
import {
  DEFAULT_ENTROPY,
  ENTROPY_FIELDS,
  ENTROPY_SETTINGS,
  type EntropySettings,
  problemOf,
} from "./entropy_settings.ts";

/** Name of the object in the lobby. */
const NAME = "cem";

/** The object, as it ships. */
const DEFINITION: GenesisDefinition = { name: NAME, slots: { ...DEFAULT_ENTROPY } };

/** Settings as an image has them; those that ship, with the reason, where it has none that can be used. */
export function readEntropySettings(
  unit: UnitOfWork | undefined,
): { settings: EntropySettings; problem?: string } {
  if (unit?.slot(LOBBY_OID, NAME) === undefined) return { settings: DEFAULT_ENTROPY };
  let given: Record<string, unknown>;
  try {
    given = slotsOf(unit, namedObject(unit, NAME));
  } catch (error) {
    return { settings: DEFAULT_ENTROPY, problem: unusable((error as Error).message) };
  }
  const parsed = ENTROPY_SETTINGS.safeParse(given);
  return parsed.success
    ? { settings: parsed.data }
    : { settings: DEFAULT_ENTROPY, problem: unusable(problemOf(parsed.error)) };
}

/** What came of a change. */
export interface ChangedSettings {
  /** The transaction; null where they were so already. */
  readonly tid: number | null;
  readonly changes: readonly Change[];
  readonly settings: EntropySettings;
}

/**
 * Changes some of the settings in one transaction; those that are not named stay.
 * @param reset begins with what ships
 * @throws {CommandError} when what would be there afterwards cannot be used; then nothing was written
 */
export async function changeEntropySettings(
  image: Image,
  wanted: Partial<EntropySettings>,
  reset: boolean,
): Promise<ChangedSettings> {
  await image.defineObjects([DEFINITION]);
  return await retried(async () => {
    using unit = image.begin({ user: "command", description: "cem set" });
    if (unit.slot(LOBBY_OID, NAME) === undefined) {
      throw new CommandError(
        `change settings of the metric: the lobby's name "${NAME}" was taken away; "batos image log lobby" names the transaction, "batos image undo TID" brings it back`,
      );
    }
    const oid = namedObject(unit, NAME);
    const before = new Map(unit.slots(oid));
    const given = { ...reset ? DEFAULT_ENTROPY : slotsOf(unit, oid), ...wanted };
    const parsed = ENTROPY_SETTINGS.safeParse(given);
    if (!parsed.success) {
      throw new CommandError(`change settings of the metric: ${problemOf(parsed.error)}`);
    }
    for (const [name, value] of Object.entries(parsed.data)) {
      if (unit.get(oid, name) !== value) unit.set(oid, name, value);
    }
    const changes = changesOf({ oid: String(oid), name: NAME }, before, unit.slots(oid));
    return {
      tid: unit.hasChanges ? await unit.commit() : null,
      changes,
      settings: parsed.data,
    };
  });
}

/** What an object says of each setting; nothing of those that it lacks. */
function slotsOf(unit: UnitOfWork, oid: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.keys(ENTROPY_FIELDS).flatMap((name) => {
      const slot = unit.slot(oid, name);
      return slot === undefined ? [] : [[name, slot.type === "data" ? slot.value : slot.type]];
    }),
  );
}

function unusable(reason: string): string {
  return `the settings in the object "${NAME}" cannot be used, those that ship are: ${reason}; "batos cem set" puts it right`;
}
