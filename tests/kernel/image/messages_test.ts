/**
 * Message semantics, case by case: delegation, ambiguity, receivers, resends, and what happens when nothing is found.
 *
 * Each test is one case of the rules of Self as this image has them; the runner of methods here is a table of functions by source,
 * so that nothing but the way of messages is tested.
 */
import assert from "node:assert/strict";
import {
  AmbiguousSelectorError,
  ArgumentCountError,
  ImageError,
  NotUnderstoodError,
  ReadOnlyError,
} from "../../../kernel/image/errors.ts";
import { Image } from "../../../kernel/image/image.ts";
import { MemoryImageStore } from "../../../kernel/image/memory_store.ts";
import { SqliteImageStore } from "../../../kernel/image/sqlite_store.ts";
import type { MethodContext } from "../../../kernel/image/send.ts";
import { method, readOnly } from "../../../kernel/image/slot_spec.ts";
import type { UnitOfWork } from "../../../kernel/image/unit_of_work.ts";
import { Ref, type Value } from "../../../kernel/image/values.ts";

type Body = (context: MethodContext) => unknown;

/** Methods of these tests: the source of a slot is a key of this table. */
const BODIES: Record<string, Body> = {
  self: ({ self }) => new Ref(self),
  holder: ({ holder }) => new Ref(holder),
  tellMe: ({ send, self }) => send(self, "whoAmI"),
  resend: async ({ resend }) => ["own", await resend()],
  resendLeft: async ({ resend }) => ["own", await resend(undefined, "left*")],
  base: ({ self, args }) => ["base", new Ref(self), ...args],
  forever: ({ send, self }) => send(self, "forever"),
  note: ({ args }) => args,
  fail: () => {
    throw new Error("the hook broke");
  },
  askForMore: ({ send, self }) => send(self, "anotherMissing"),
  install: ({ unit, self, args }) => {
    unit.define(self, String(args[0]), method("note", { parameters: ["a", "b"] }));
  },
  setX: ({ unit, self, args }) => unit.set(self, "x", args[0]),
};

async function openTestImage(): Promise<Image> {
  const image = await Image.open(new MemoryImageStore());
  image.runner = { run: async (slot, context) => await BODIES[slot.source]!(context) };
  return image;
}

/** Runs a test in a unit of work of a new image. */
function messageTest(name: string, run: (unit: UnitOfWork, image: Image) => Promise<void>): void {
  Deno.test(name, async () => {
    using image = await openTestImage();
    using unit = image.begin();
    await run(unit, image);
  });
}

const own = (slots: Record<string, unknown>) => ({ parent: null, slots });

messageTest("1: an object's own slot wins over its parents'", async (unit) => {
  const parent = unit.create(own({ x: "parent's" }));
  const child = unit.create({ parent, slots: { x: "own" } });
  assert.equal(await unit.send(child, "x"), "own");
  // Not even an ambiguity among the parents matters.
  const other = unit.create(own({ x: "other's" }));
  unit.define(child, "other*", new Ref(other));
  assert.equal(unit.lookup(child, "x")?.holder, child);
});

messageTest(
  "2: a selector in two unrelated parents is an ambiguity that names both",
  async (unit) => {
    const left = unit.create(own({ x: 1 }));
    const right = unit.create(own({ x: 1 }));
    const child = unit.create(own({ "left*": new Ref(left), "right*": new Ref(right) }));
    await assert.rejects(
      unit.send(child, "x"),
      (error) =>
        error instanceof AmbiguousSelectorError && error.oid === child &&
        error.holders.join() === `${left},${right}` &&
        error.message.includes(`${left} and ${right}`),
    );
  },
);

messageTest("3: one slot over two ways is one match", async (unit) => {
  const top = unit.create(own({ x: "top" }));
  const left = unit.create({ parent: top });
  const right = unit.create({ parent: top });
  const child = unit.create(own({ "left*": new Ref(left), "right*": new Ref(right) }));
  assert.equal(await unit.send(child, "x"), "top");
});

messageTest("4: a slot that is shadowed on one way only is an ambiguity", (unit) => {
  const top = unit.create(own({ x: "top" }));
  const left = unit.create({ parent: top, slots: { x: "left" } });
  const right = unit.create({ parent: top });
  for (const [first, second] of [[left, right], [right, left]]) {
    const child = unit.create(own({ "a*": new Ref(first!), "b*": new Ref(second!) }));
    assert.throws(() => unit.lookup(child, "x"), AmbiguousSelectorError);
  }
  return Promise.resolve();
});

messageTest("5: circles of parents end, and what is missing is not understood", async (unit) => {
  const a = unit.create(own({}));
  const b = unit.create(own({ "parent*": new Ref(a) }));
  unit.define(a, "parent*", new Ref(b));
  const itself = unit.create(own({}));
  unit.define(itself, "parent*", new Ref(itself));
  const both = unit.create(own({ "a*": new Ref(a), "b*": new Ref(b), "c*": new Ref(itself) }));
  for (const oid of [a, b, itself, both]) {
    assert.equal(unit.lookup(oid, "missing"), undefined);
    await assert.rejects(unit.send(oid, "missing"), NotUnderstoodError);
  }
  unit.set(b, "x", 1);
  assert.equal(await unit.send(both, "x"), 1);
});

messageTest("5: a chain of a thousand parents ends as well", (unit) => {
  let oid = unit.create(own({ x: "far" }));
  for (let at = 0; at < 1_000; at++) oid = unit.create({ parent: oid });
  assert.equal(unit.get(oid, "x"), "far");
  assert.equal(unit.lookup(oid, "missing"), undefined);
  return Promise.resolve();
});

messageTest("6: self is the first receiver, at any depth and in nested sends", async (unit) => {
  const top = unit.create(own({ whoAmI: method("self"), tellMe: method("tellMe") }));
  const middle = unit.create({ parent: top });
  const child = unit.create({ parent: middle });
  assert.deepEqual(await unit.send(child, "whoAmI"), new Ref(child));
  assert.deepEqual(await unit.send(child, "tellMe"), new Ref(child));
});

messageTest("7: a child that assigns an inherited slot gets its own", async (unit) => {
  const parent = unit.create(own({ x: 1, setX: method("setX", { parameters: ["value"] }) }));
  const child = unit.create({ parent });
  const sibling = unit.create({ parent });
  await unit.send(child, "setX", [2]);
  assert.equal(unit.get(child, "x"), 2);
  assert.equal(unit.get(parent, "x"), 1);
  assert.equal(unit.get(sibling, "x"), 1);
  assert.equal(unit.slot(sibling, "x"), undefined);
});

messageTest("8: a read-only slot is not assigned, and stays what it is", async (unit) => {
  const parent = unit.create(own({ x: readOnly(1) }));
  const child = unit.create({ parent });
  assert.throws(() => unit.set(parent, "x", 2), ReadOnlyError);
  assert.throws(() => unit.set(child, "x", 2), ReadOnlyError);
  assert.equal(await unit.send(child, "x"), 1);
  unit.define(child, "x", 2);
  assert.equal(await unit.send(child, "x"), 2);
});

Deno.test("9: a parent assigned anew is seen by the next send, and its abort as well", async () => {
  using image = await openTestImage();
  const { a, b, child, grandchild } = await image.transact((unit) => {
    const a = unit.create(own({ x: "a" }));
    const b = unit.create(own({ x: "b" }));
    const child = unit.create({ parent: a });
    return { a, b, child, grandchild: unit.create({ parent: child }) };
  });
  using unit = image.begin();
  const seen = async () => [await unit.send(child, "x"), await unit.send(grandchild, "x")];
  assert.deepEqual(await seen(), ["a", "a"]);
  unit.set(child, "parent*", new Ref(b));
  assert.deepEqual(await seen(), ["b", "b"]);
  unit.abort();
  assert.deepEqual(await seen(), ["a", "a"]);
  const savepoint = unit.savepoint();
  unit.set(child, "parent*", new Ref(b));
  assert.deepEqual(await seen(), ["b", "b"]);
  savepoint.rollback();
  assert.deepEqual(await seen(), ["a", "a"]);
  await image.transact((other) => other.set(child, "parent*", new Ref(b)));
  assert.deepEqual(await seen(), ["a", "a"], "a unit keeps its view");
  unit.abort();
  assert.deepEqual(await seen(), ["b", "b"]);
  await image.undo(image.newest);
  unit.abort();
  assert.deepEqual(await seen(), ["a", "a"]);
  assert.equal(a === b, false);
});

messageTest("10: when a shadowing slot is removed, the parent's shows again", async (unit) => {
  const parent = unit.create(own({ x: "parent's" }));
  const child = unit.create({ parent, slots: { x: "own" } });
  assert.equal(await unit.send(child, "x"), "own");
  assert.equal(unit.remove(child, "x"), true);
  assert.equal(await unit.send(child, "x"), "parent's");
  assert.equal(unit.remove(child, "x"), false);
});

messageTest("11: a late change in a parent is seen by all children", async (unit) => {
  const parent = unit.create(own({}));
  const children = [unit.create({ parent }), unit.create({ parent })];
  for (const child of children) assert.equal(unit.lookup(child, "late"), undefined);
  unit.set(parent, "late", "here");
  for (const child of children) assert.equal(await unit.send(child, "late"), "here");
});

messageTest("12: a clone is shallow: slots of its own, the same parents", async (unit) => {
  const parent = unit.create({ slots: { y: 1 } });
  const inner = unit.create(own({ deep: 1 }));
  const object = unit.create({ parent, slots: { x: 1, inner: new Ref(inner) } });
  const clone = await unit.send(object, "clone") as Ref;
  unit.set(clone, "x", 2);
  assert.equal(unit.get(object, "x"), 1);
  assert.deepEqual(unit.parents(clone), [parent]);
  assert.deepEqual(unit.get(clone, "inner"), new Ref(inner));
  unit.set(object, "z", 3);
  assert.equal(unit.get(clone, "z"), undefined);
});

messageTest("13: a method in a parent slot's place is searched for, not run, by lookup", (unit) => {
  let runs = 0;
  BODIES.count = () => ++runs;
  const parent = unit.create(own({ count: method("count") }));
  const child = unit.create({ parent });
  const found = unit.lookup(child, "count");
  assert.equal(found?.slot.type, "method");
  assert.equal(found?.holder, parent);
  assert.equal(runs, 0);
  // A parent slot cannot hold a method: lookup would have to run it.
  assert.throws(() => unit.define(child, "other*", method("count")), TypeError);
  return Promise.resolve();
});

messageTest("14: a resend starts above the holder and keeps the receiver", async (unit) => {
  const base = method("base", { parameters: ["n"] });
  const top = unit.create(own({ greet: base }));
  const middle = unit.create({
    parent: top,
    slots: { greet: method("resend", { parameters: ["n"] }) },
  });
  const child = unit.create({ parent: middle });
  assert.deepEqual(await unit.send(child, "greet", [7]), ["own", ["base", new Ref(child), 7]]);
});

messageTest("14: a directed resend goes through one parent", async (unit) => {
  const left = unit.create(own({ greet: method("base") }));
  const right = unit.create(own({ greet: "right" }));
  const parents = { "left*": new Ref(left), "right*": new Ref(right) };
  const directed = unit.create(own({ ...parents, greet: method("resendLeft") }));
  assert.deepEqual(await unit.send(directed, "greet"), ["own", ["base", new Ref(directed)]]);
  const undirected = unit.create(own({ ...parents, greet: method("resend") }));
  await assert.rejects(unit.send(undirected, "greet"), AmbiguousSelectorError);
  const astray = unit.create(own({ "right*": new Ref(right), greet: method("resendLeft") }));
  await assert.rejects(unit.send(astray, "greet"), /no such parent; its parent slots are right\*/);
});

messageTest(
  "15: what is not understood goes to the hook with selector, arguments, holder, kind",
  async (unit) => {
    const hook = method("note", { parameters: ["selector", "args", "holder", "kind"] });
    const parent = unit.create(own({ _doesNotUnderstand_: hook }));
    const child = unit.create({ parent, slots: { again: method("resend") } });
    assert.deepEqual(await unit.send(child, "missing", [1, "two"]), [
      "missing",
      [1, "two"],
      null,
      "send",
    ]);
    assert.deepEqual(await unit.send(child, "again"), [
      "own",
      ["again", [], new Ref(child), "resend"],
    ]);
  },
);

messageTest("16: without a hook, or with one that fails, it stops there", async (unit) => {
  const bare = unit.create(own({}));
  await assert.rejects(unit.send(bare, "missing"), /not understood; neither it nor its parents/);
  const parameters = ["selector", "args", "holder", "kind"];
  const failing = unit.create(own({ _doesNotUnderstand_: method("fail", { parameters }) }));
  await assert.rejects(
    unit.send(failing, "missing"),
    (error) =>
      error instanceof NotUnderstoodError && error.message.includes("the hook broke") &&
      error.cause instanceof Error && !error.message.includes("\n"),
  );
  const recursive = unit.create(own({ _doesNotUnderstand_: method("askForMore", { parameters }) }));
  await assert.rejects(unit.send(recursive, "missing"), /anotherMissing.*nobody is asked again/);
});

messageTest(
  "17: when the hook installs a method, the message is sent again, once",
  async (unit) => {
    const parameters = ["selector", "args", "holder", "kind"];
    const object = unit.create(own({ _doesNotUnderstand_: method("install", { parameters }) }));
    assert.deepEqual(await unit.send(object, "fresh", [1, 2]), [1, 2]);
    assert.equal(unit.slot(object, "fresh")?.type, "method");
    // What was installed takes two arguments: the second try is like any send.
    await assert.rejects(unit.send(object, "other", [1]), ArgumentCountError);
  },
);

messageTest("18: a slot that holds null is found", async (unit) => {
  const parent = unit.create(own({ x: 1 }));
  const child = unit.create({ parent, slots: { x: null } });
  assert.equal(await unit.send(child, "x"), null);
  assert.equal(unit.get(child, "x"), null);
  assert.equal(unit.get(child, "y"), undefined);
});

messageTest("19: a wrong number of arguments is an error of its own", async (unit) => {
  const object = unit.create({
    slots: { x: 1, setX: method("setX", { parameters: ["value"] }) },
  });
  for (const [selector, args] of [["setX", []], ["setX", [1, 2]], ["x", [1]], ["clone", [1]]]) {
    await assert.rejects(
      unit.send(object, selector as string, args as Value[]),
      (error) => error instanceof ArgumentCountError && error.given === args!.length,
    );
  }
});

Deno.test("20: after a restart there are the same identities, circles and delegation; what was transient is gone", async () => {
  const folder = Deno.makeTempDirSync({ prefix: "batos_image_" });
  try {
    const path = `${folder}/image.db`;
    const before = await Image.open(new SqliteImageStore(path));
    const [a, b] = await before.transact((unit) => {
      const a = unit.create({ slots: { whoAmI: method("self"), x: "kept" } });
      const b = unit.create({ parent: a, slots: { friend: new Ref(a) } });
      unit.set(a, "friend", new Ref(b));
      return [a, b] as const;
    });
    using left = before.begin();
    left.set(a, "x", "not committed");
    before[Symbol.dispose]();

    using after = await Image.open(new SqliteImageStore(path));
    after.runner = { run: async (slot, context) => await BODIES[slot.source]!(context) };
    using unit = after.begin();
    assert.deepEqual(unit.get(a, "friend"), new Ref(b));
    assert.deepEqual(unit.get(b, "friend"), new Ref(a));
    assert.equal(unit.get(b, "x"), "kept");
    assert.deepEqual(await unit.send(b, "whoAmI"), new Ref(b));
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});

messageTest(
  "21: __proto__, constructor, toString and then are names like any other",
  async (unit, image) => {
    const names = ["__proto__", "constructor", "toString", "then", "hasOwnProperty", "*", "0"];
    const empty = unit.create(own({}));
    for (const name of names) assert.equal(unit.lookup(empty, name), undefined);
    const object = unit.create({
      parent: null,
      slots: names.filter((n) => n !== "*").map((n) => [n, n] as const),
    });
    unit.define(object, "*", new Ref(empty));
    await unit.commit();
    using later = image.begin();
    for (const name of names.filter((n) => n !== "*")) {
      assert.equal(
        await later.send(object, name),
        name,
      );
    }
    assert.deepEqual(later.parents(object), [empty]);
    const map = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": 2}');
    later.set(object, "map", map);
    const back = later.get(object, "map") as Record<string, unknown>;
    assert.equal(Object.getPrototypeOf(back), null);
    assert.deepEqual(Object.keys(back), ["__proto__", "constructor"]);
    assert.equal(({} as Record<string, unknown>).polluted, undefined);
  },
);

messageTest("recursion without end is an error, not a crash", async (unit) => {
  const object = unit.create({ slots: { forever: method("forever") } });
  await assert.rejects(
    unit.send(object, "forever"),
    (error) => error instanceof ImageError && /sends itself without end/.test(error.message),
  );
});

messageTest(
  "without an author the error says what is missing; with one, the method is sent",
  async (unit, image) => {
    const object = unit.create();
    await assert.rejects(unit.send(object, "display_yourself"), /nothing here can author a method/);
    image.author = async (brief, unit) => {
      assert.equal(brief.target, object);
      assert.equal(brief.sender, 0);
      unit.define(brief.target, brief.selector, method("note", { parameters: ["a"] }));
    };
    assert.deepEqual(await unit.send(object, "display_yourself", [5], { sender: 0 }), [5]);
    image.author = async () => "an answer of its own";
    assert.equal(await unit.send(object, "something"), "an answer of its own");
    image.author = async () => {};
    await assert.rejects(unit.send(object, "nothing"), /neither installed it nor answered/);
  },
);

messageTest("without a runner, a method of source says what is missing", async (unit, image) => {
  image.runner = undefined;
  const object = unit.create({ slots: { run: method("self", { language: "python" }) } });
  await assert.rejects(
    unit.send(object, "run"),
    /source in "python", and nothing here runs methods/,
  );
});

messageTest("genesis objects do what their selectors say", async (unit) => {
  const yes = unit.create({ parent: 6, slots: { value: "yes" } });
  assert.equal(await unit.send(true, "ifTrue:ifFalse:", [new Ref(yes), "no"]), "yes");
  assert.equal(await unit.send(false, "ifTrue:ifFalse:", [new Ref(yes), "no"]), "no");
  assert.equal(await unit.send(null, "isNil"), true);
  assert.equal(await unit.send(yes, "isNil"), false);
  assert.equal(await unit.send(false, "or:", [true]), true);
  const list = await unit.send(8, "clone") as Ref;
  await unit.send(list, "add:", ["one"]);
  await unit.send(list, "add:", ["two"]);
  assert.deepEqual(await unit.send(list, "asList"), ["one", "two"]);
  assert.deepEqual(await unit.send(8, "asList"), [], "the prototype stays empty");
  const dictionary = await unit.send(9, "clone") as Ref;
  await unit.send(dictionary, "at:put:", ["__proto__", 1]);
  assert.deepEqual(await unit.send(dictionary, "keys"), ["__proto__"]);
  await assert.rejects(unit.send(dictionary, "at:", ["missing"]), /has no such key/);
  BODIES.countdown = ({ unit, self }) => (unit.get(self, "n") as number) > 0;
  BODIES.step = ({ unit, self }) => {
    const counter = (unit.get(self, "counter") as Ref).oid;
    unit.set(counter, "n", (unit.get(counter, "n") as number) - 1);
  };
  const condition = unit.create({ parent: 6, slots: { n: 3, value: method("countdown") } });
  const body = unit.create({
    parent: 6,
    slots: { counter: new Ref(condition), value: method("step") },
  });
  await unit.send(condition, "whileTrue:", [new Ref(body)]);
  assert.equal(unit.get(condition, "n"), 0);
});
