/**
 * `bench kernel`: what the image costs, beside what the disk and bare SQLite do in the same run.
 *
 * Owns the rows of the reference, ZODB, whose figures were measured on another machine with two cores and stand beside ours as such,
 * with the rate of its disk. What must hold: a commit counts when it is durable; the disk, bare SQLite and the image take turns, so
 * that a machine that slows down slows down all of them; objects are read cold where a row says so.
 */
import { join } from "node:path";
import process from "node:process";
import { DatabaseSync } from "node:sqlite";
import { Image } from "../kernel/image/image.ts";
import { openImage } from "../kernel/image/open_image.ts";
import { lookUp } from "../kernel/image/lookup.ts";
import { SqliteImageStore } from "../kernel/image/sqlite_store.ts";
import type { UnitOfWork } from "../kernel/image/unit_of_work.ts";
import type { Log } from "./corpora.ts";
import { killRounds } from "./image_kill.ts";
import { median } from "./process.ts";

export interface KernelBenchOptions {
  /** Turns of what is compared, and repetitions of what is short; 5 by default. */
  readonly rounds?: number | undefined;
  readonly log: Log;
}

/** ZODB 6.4 with FileStorage, fsync on, on two cores under Debian 12: append + fsync alone made 7,310 a second there. */
const ZODB = {
  floor: 7_310,
  commits: 5_040,
  createOnce: 42_900,
  createInBatches: 38_600,
  lookup: { 1: 674, 4: 1_975, 16: 7_551 } as Readonly<Record<number, number>>,
  openMs: 0.7,
  loadMs: 222,
  bytes: 538,
  savepointUs: 1_558,
  rollbackUs: 68,
  abortUs: 47,
};

/** One turn of the disk, of bare SQLite, of the image: short, so that what else uses the disk meets all of them. */
const TURN_MS = 60;
/** Turns of each a round. */
const TURNS = 25;
/** Objects made, as in the reference. */
const OBJECTS = 10_000;
const BATCH = 100;
/** Objects of the image that is opened cold. */
const COLD_OBJECTS = 100_000;
/** Lookups timed at a time; the fastest of the rounds counts, for what slows one down is not the lookup. */
const LOOKUPS = 200_000;
/** Processes killed, and how many write at once. */
const KILLS = { rounds: 34, processes: 3 };

/** See the module text. */
export async function benchKernel({ rounds = 5, log }: KernelBenchOptions): Promise<object> {
  const folder = Deno.makeTempDirSync({ prefix: "batos_bench_kernel_" });
  try {
    log("commits");
    const commits = await compareCommits(folder, rounds);
    log("objects");
    const objects = await measureObjects(folder, rounds);
    log("lookups");
    const lookups = await measureLookups(rounds);
    log("a cold image");
    const cold = await measureCold(folder, rounds);
    log("savepoints");
    const savepoints = await measureSavepoints(rounds);
    log("kills");
    const killFolder = join(folder, "kill");
    Deno.mkdirSync(killFolder);
    const kills = await killRounds(killFolder, { ...KILLS, log });
    return {
      durable_commits: commits,
      costs: { ...objects, ...lookups, ...cold, ...savepoints },
      kills,
    };
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Durable commits of one object, in turns with the disk alone and with two bare rows in SQLite. */
async function compareCommits(folder: string, rounds: number): Promise<object> {
  using alone = await Image.open(new SqliteImageStore(join(folder, "commits.db")));
  using shared = await openImage(join(folder, "shared", "image.db"), { mode: "shared" });
  using file = Deno.openSync(join(folder, "floor"), { append: true, create: true });
  using bare = new DatabaseSync(join(folder, "bare.db"));
  const contestants: Readonly<Record<string, () => void | Promise<void>>> = {
    "append and fsync": () => {
      file.writeSync(RECORD);
      file.syncSync();
    },
    "two bare rows in SQLite": commitBareRows(bare),
    batos: await commitObject(alone),
    "batos, other processes let in between commits": await commitObject(shared),
  };
  const turns: Record<string, Turn>[] = [];
  for (let turn = 0; turn < rounds * TURNS; turn++) {
    const one: Record<string, Turn> = {};
    for (const [name, work] of Object.entries(contestants)) one[name] = await takeTurn(work);
    turns.push(one);
  }
  const row = (name: string) => {
    const of = (pick: (one: Turn, disk: Turn) => number) =>
      median(turns.map((turn) => pick(turn[name]!, turn["append and fsync"]!)));
    return {
      a_second: Math.round(of(({ rate }) => rate)),
      share_of_append_and_fsync: rounded(of(({ rate }, disk) => rate / disk.rate)),
      µs_of_processor: Math.round(of(({ processorUs }) => processorUs)),
    };
  };
  return {
    ...Object.fromEntries(Object.keys(contestants).map((name) => [name, row(name)])),
    "ZODB (elsewhere)": {
      a_second: ZODB.commits,
      share_of_append_and_fsync: rounded(ZODB.commits / ZODB.floor),
    },
  };
}

/** As long as what the image writes for the object of these commits. */
const RECORD = new TextEncoder().encode(
  '{"s":[["parent*","d",{"o":1}],["n","d",12345],["name","d","one"]]}',
);

function commitBareRows(database: DatabaseSync): () => void {
  database.exec(
    `PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
     CREATE TABLE revision(oid, tid, data, PRIMARY KEY(oid, tid)) WITHOUT ROWID;
     CREATE TABLE "transaction"(tid INTEGER PRIMARY KEY, time)`,
  );
  const begin = database.prepare("BEGIN IMMEDIATE");
  const revision = database.prepare("INSERT INTO revision VALUES (1, ?, ?)");
  const transaction = database.prepare(`INSERT INTO "transaction" VALUES (?, ?)`);
  const commit = database.prepare("COMMIT");
  const text = new TextDecoder().decode(RECORD);
  let tid = 0;
  return () => {
    begin.run();
    revision.run(++tid, text);
    transaction.run(tid, Date.now());
    commit.run();
  };
}

async function commitObject(image: Image): Promise<() => Promise<void>> {
  const oid = await image.transact((unit) => unit.create({ slots: { n: 0, name: "one" } }));
  const unit = image.begin();
  let n = 0;
  return async () => {
    unit.set(oid, "n", n++);
    await unit.commit();
  };
}

interface Turn {
  /** A second. */
  readonly rate: number;
  /** Of all threads of this process, for one. */
  readonly processorUs: number;
}

/** How often something can be done, and what of that is the processor's. */
async function takeTurn(work: () => void | Promise<void>): Promise<Turn> {
  const processor = process.cpuUsage();
  const started = performance.now();
  let count = 0;
  while (performance.now() - started < TURN_MS) {
    await work();
    count++;
  }
  const rate = count / (performance.now() - started) * 1_000;
  const { user, system } = process.cpuUsage(processor);
  return { rate, processorUs: (user + system) / count };
}

async function measureObjects(folder: string, rounds: number): Promise<object> {
  const once: number[] = [];
  const batches: number[] = [];
  let bytes = 0;
  for (let round = 0; round < rounds; round++) {
    const path = join(folder, `objects-${round}.db`);
    const timed = async (size: number) => {
      using image = await Image.open(new SqliteImageStore(path));
      const started = performance.now();
      for (let done = 0; done < OBJECTS; done += size) {
        await image.transact((unit) => createMany(unit, size, done));
      }
      return OBJECTS / (performance.now() - started) * 1_000;
    };
    once.push(await timed(OBJECTS));
    bytes = Deno.statSync(path).size / OBJECTS;
    batches.push(await timed(BATCH));
  }
  return {
    [`objects a second, ${OBJECTS} in one transaction`]: beside(median(once), ZODB.createOnce),
    [`objects a second, ${BATCH} a transaction`]: beside(median(batches), ZODB.createInBatches),
    "bytes an object": beside(bytes, ZODB.bytes),
  };
}

function createMany(unit: UnitOfWork, count: number, from: number): number[] {
  return Array.from(
    { length: count },
    (_, at) => unit.create({ slots: { n: from + at, name: `object ${from + at}` } }),
  );
}

async function measureLookups(rounds: number): Promise<object> {
  using image = await Image.open(new SqliteImageStore(":memory:"));
  using unit = image.begin();
  const rows: Record<string, object> = {};
  const cachedTimes: number[] = [];
  for (const [depth, reference] of Object.entries(ZODB.lookup)) {
    let oid = unit.create({ parent: null, slots: { x: 1 } });
    for (let at = 0; at < Number(depth); at++) oid = unit.create({ parent: oid });
    await unit.commit();
    const uncached: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      uncached.push(nanoseconds(() => lookUp(unit, oid, "x")));
      cachedTimes.push(nanoseconds(() => unit.lookup(oid, "x")));
    }
    rows[`ns a lookup through ${depth} parents`] = beside(Math.min(...uncached), reference);
  }
  rows["ns a lookup that was made before"] = beside(Math.min(...cachedTimes), undefined);
  return rows;
}

function nanoseconds(work: () => unknown): number {
  const started = performance.now();
  for (let at = 0; at < LOOKUPS; at++) work();
  return (performance.now() - started) / LOOKUPS * 1e6;
}

async function measureCold(folder: string, rounds: number): Promise<object> {
  const path = join(folder, "cold.db");
  let oids: number[] = [];
  {
    using image = await Image.open(new SqliteImageStore(path));
    for (let done = 0; done < COLD_OBJECTS; done += OBJECTS) {
      oids = await image.transact((unit) => createMany(unit, OBJECTS, done));
    }
  }
  const opening: number[] = [];
  const loading: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const started = performance.now();
    using image = await Image.open(new SqliteImageStore(path));
    using unit = image.begin();
    unit.get(oids[0]!, "n");
    opening.push(performance.now() - started);
    const opened = performance.now();
    for (const oid of oids) unit.get(oid, "n");
    loading.push(performance.now() - opened);
  }
  return {
    [`ms to open ${COLD_OBJECTS} objects and read one`]: beside(median(opening), ZODB.openMs),
    [`ms to load ${OBJECTS} objects`]: beside(median(loading), ZODB.loadMs),
  };
}

async function measureSavepoints(rounds: number): Promise<object> {
  using image = await Image.open(new SqliteImageStore(":memory:"));
  const oids = await image.transact((unit) => createMany(unit, BATCH, 0));
  using unit = image.begin();
  const times = { savepoint: [] as number[], rollback: [] as number[], abort: [] as number[] };
  const timed = (into: number[], work: () => void) => {
    const started = performance.now();
    work();
    into.push((performance.now() - started) * 1_000);
  };
  // Short enough that a hundred times as many are still nothing.
  for (let round = 0; round < rounds * 100; round++) {
    const change = () => oids.forEach((oid) => unit.set(oid, "n", round));
    change();
    let back = () => {};
    timed(times.savepoint, () => {
      const savepoint = unit.savepoint();
      back = () => savepoint.rollback();
    });
    change();
    timed(times.rollback, () => back());
    timed(times.abort, () => unit.abort());
  }
  return {
    [`µs a savepoint of ${BATCH} changed objects`]: beside(
      median(times.savepoint),
      ZODB.savepointUs,
    ),
    [`µs a rollback of ${BATCH}`]: beside(median(times.rollback), ZODB.rollbackUs),
    [`µs an abort of ${BATCH}`]: beside(median(times.abort), ZODB.abortUs),
  };
}

function beside(batos: number, zodb: number | undefined): object {
  return { batos: rounded(batos), "ZODB (elsewhere)": zodb ?? null };
}

function rounded(value: number): number {
  return value >= 100 ? Math.round(value) : Math.round(value * 100) / 100;
}
