/**
 * WebAssembly from its text format, assembled when the program runs: kernels stand in the source as listings, no binary is kept and no
 * toolchain is needed.
 *
 * Owns the assembler and its table of instructions. It reads the part of the text format (WebAssembly Core Specification 2.0, section 6)
 * that loops over numbers need: functions with named parameters and locals, plain and folded instructions, `block`, `loop`, `if`,
 * integers, floats, 128-bit vectors. The memory is always the caller's, shared between threads or not. What must hold: what is not
 * understood is an error that names it; everything else is checked by the engine when the module is made.
 *
 * A kernel:
 *
 *     (func (export "sum") (param $at i32) (param $end i32) (result f32) (local $sum v128)
 *       (loop $next
 *         (local.set $sum (f32x4.add (local.get $sum) (v128.load (local.get $at))))
 *         (local.set $at (i32.add (local.get $at) (i32.const 16)))
 *         (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
 *       (f32.add
 *         (f32.add (f32x4.extract_lane 0 (local.get $sum)) (f32x4.extract_lane 1 (local.get $sum)))
 *         (f32.add (f32x4.extract_lane 2 (local.get $sum)) (f32x4.extract_lane 3 (local.get $sum)))))
 */

/** A listing that cannot be assembled. */
export class AssemblyError extends Error {
  override name = "AssemblyError";
}

/** Bytes of a page of memory, the unit in which it grows. */
export const PAGE = 65_536;

/**
 * Assembles a listing and binds it to a memory.
 * @returns the exported functions; pointers are byte offsets into the memory.
 * @throws {AssemblyError} when the listing is not understood; {WebAssembly.CompileError} when its types do not fit.
 */
export function instantiate<Exports>(source: string, memory: WebAssembly.Memory): Exports {
  const module = new WebAssembly.Module(
    assemble(source, { shared: memory.buffer instanceof SharedArrayBuffer }),
  );
  return new WebAssembly.Instance(module, { env: { memory } }).exports as Exports;
}

/**
 * The binary form of a listing: a sequence of `(func …)`; its memory is the import `env.memory`.
 * @param options.shared whether that memory is shared between threads
 * @throws {AssemblyError} when the listing is not understood.
 */
export function assemble(
  source: string,
  { shared = false }: { shared?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const functions = parse(source).map(readFunction);
  const indexes = new Map(functions.map(({ name }, at) => [name, at]));
  // Limits of a shared memory need a maximum; 65,536 pages are all that 32 bits address.
  const limits = shared ? [0x03, 0, ...unsigned(65_536)] : [0x00, 0];
  const exported = functions.flatMap(({ exportName }, at) =>
    exportName === undefined ? [] : [[...text(exportName), 0x00, ...unsigned(at)]]
  );
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
    ...section(
      1,
      functions.map(({ parameters, results }) => [
        0x60,
        ...vector(parameters.map(({ type }) => [type])),
        ...vector(results.map((type) => [type])),
      ]),
    ),
    ...section(2, [[...text("env"), ...text("memory"), 0x02, ...limits]]),
    ...section(3, functions.map((_, at) => unsigned(at))),
    ...section(7, exported),
    ...section(10, functions.map((one) => sized(new Body(one, indexes).assemble()))),
  ]);
}

// --- the text -------------------------------------------------------------------------------------------------------

/** A word, or what stands in parentheses. */
type Node = string | readonly Node[];

function parse(source: string): Node[] {
  const stack: Node[][] = [[]];
  for (const [token] of source.matchAll(/;;[^\n]*|"[^"]*"|[()]|[^\s()";]+/g)) {
    if (token.startsWith(";;")) continue;
    if (token === "(") stack.push([]);
    else if (token === ")") {
      const node = stack.pop()!;
      if (stack.length === 0) throw new AssemblyError(`cannot assemble: a ")" too many`);
      stack.at(-1)!.push(node);
    } else stack.at(-1)!.push(token);
  }
  if (stack.length > 1) throw new AssemblyError(`cannot assemble: ${stack.length - 1} ")" missing`);
  return stack[0]!;
}

interface Variable {
  readonly name: string | undefined;
  readonly type: number;
}

interface FunctionText {
  readonly name: string | undefined;
  readonly exportName: string | undefined;
  readonly parameters: readonly Variable[];
  readonly results: readonly number[];
  readonly locals: readonly Variable[];
  readonly body: readonly Node[];
}

function readFunction(node: Node): FunctionText {
  if (typeof node === "string" || node[0] !== "func") {
    throw new AssemblyError(`cannot assemble "${show(node)}": expected "(func …)"`);
  }
  let at = 1;
  const name = isName(node[at]) ? node[at++] as string : undefined;
  let exportName: string | undefined;
  const parameters: Variable[] = [];
  const results: number[] = [];
  const locals: Variable[] = [];
  for (; at < node.length; at++) {
    const part = node[at]!;
    if (typeof part === "string") break;
    if (part[0] === "export") exportName = String(part[1]).slice(1, -1);
    else if (part[0] === "param") parameters.push(...variables(part));
    else if (part[0] === "local") locals.push(...variables(part));
    else if (part[0] === "result") results.push(...part.slice(1).map(typeCode));
    else break;
  }
  return { name, exportName, parameters, results, locals, body: node.slice(at) };
}

/** `(param $a i32)` or `(param i32 i32)`. */
function variables(part: readonly Node[]): Variable[] {
  return isName(part[1])
    ? [{ name: part[1], type: typeCode(part[2]) }]
    : part.slice(1).map((type) => ({ name: undefined, type: typeCode(type) }));
}

function isName(node: Node | undefined): node is string {
  return typeof node === "string" && node.startsWith("$");
}

function show(node: Node | undefined): string {
  return node === undefined
    ? "nothing"
    : typeof node === "string"
    ? node
    : `(${node.map(show).join(" ")})`;
}

const TYPES: Readonly<Record<string, number>> = {
  i32: 0x7f,
  i64: 0x7e,
  f32: 0x7d,
  f64: 0x7c,
  v128: 0x7b,
};

function typeCode(node: Node | undefined): number {
  const code = typeof node === "string" ? TYPES[node] : undefined;
  if (code === undefined) {
    throw new AssemblyError(`cannot assemble "${show(node)}": expected a type, as "i32"`);
  }
  return code;
}

// --- instructions ---------------------------------------------------------------------------------------------------

/** What follows an instruction's code. */
type Immediate = "none" | "memory" | "lane" | "lanes" | "local" | "label" | "function" | "constant";

interface Instruction {
  readonly code: readonly number[];
  readonly immediate: Immediate;
}

/** Codes of vector instructions stand behind this byte, those of bulk memory behind the next. */
const VECTOR = 0xfd;
const BULK = 0xfc;

/** Runs of instructions with successive codes: prefix byte if any, first code, what precedes each name, names ("-": not used here). */
const RUNS: readonly (readonly [number | undefined, number, string, string, Immediate?])[] = [
  [undefined, 0x00, "", "unreachable nop"],
  [undefined, 0x0c, "", "br br_if", "label"],
  [undefined, 0x0f, "", "return"],
  [undefined, 0x10, "", "call", "function"],
  [undefined, 0x1a, "", "drop select"],
  [undefined, 0x20, "local.", "get set tee", "local"],
  [undefined, 0x28, "", "i32.load i64.load f32.load f64.load", "memory"],
  [undefined, 0x2c, "i32.", "load8_s load8_u load16_s load16_u", "memory"],
  [undefined, 0x36, "", "i32.store i64.store f32.store f64.store i32.store8 i32.store16", "memory"],
  [undefined, 0x41, "", "i32.const i64.const f32.const f64.const", "constant"],
  [undefined, 0x45, "i32.", "eqz eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [undefined, 0x5b, "f32.", "eq ne lt gt le ge"],
  [undefined, 0x61, "f64.", "eq ne lt gt le ge"],
  [
    undefined,
    0x67,
    "i32.",
    "clz ctz popcnt add sub mul div_s div_u rem_s rem_u and or xor shl shr_s shr_u rotl rotr",
  ],
  [undefined, 0x7c, "i64.", "add sub mul"],
  [
    undefined,
    0x8b,
    "f32.",
    "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign",
  ],
  [
    undefined,
    0x99,
    "f64.",
    "abs neg ceil floor trunc nearest sqrt add sub mul div min max copysign",
  ],
  [undefined, 0xa8, "i32.", "trunc_f32_s trunc_f32_u trunc_f64_s trunc_f64_u"],
  [undefined, 0xb2, "f32.", "convert_i32_s convert_i32_u - - demote_f64"],
  [undefined, 0xb7, "f64.", "convert_i32_s convert_i32_u - - promote_f32"],
  [undefined, 0xbc, "", "i32.reinterpret_f32 - f32.reinterpret_i32"],
  [
    VECTOR,
    0,
    "v128.",
    "load load8x8_s load8x8_u load16x4_s load16x4_u load32x2_s load32x2_u load8_splat load16_splat load32_splat load64_splat store",
    "memory",
  ],
  [VECTOR, 12, "v128.", "const", "constant"],
  [VECTOR, 13, "i8x16.", "shuffle", "lanes"],
  [
    VECTOR,
    14,
    "",
    "i8x16.swizzle i8x16.splat i16x8.splat i32x4.splat i64x2.splat f32x4.splat f64x2.splat",
  ],
  [VECTOR, 21, "i8x16.", "extract_lane_s extract_lane_u replace_lane", "lane"],
  [VECTOR, 24, "i16x8.", "extract_lane_s extract_lane_u replace_lane", "lane"],
  [VECTOR, 27, "i32x4.", "extract_lane replace_lane", "lane"],
  [VECTOR, 31, "f32x4.", "extract_lane replace_lane", "lane"],
  [VECTOR, 33, "f64x2.", "extract_lane replace_lane", "lane"],
  [VECTOR, 45, "i16x8.", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [VECTOR, 55, "i32x4.", "eq ne lt_s lt_u gt_s gt_u le_s le_u ge_s ge_u"],
  [VECTOR, 65, "f32x4.", "eq ne lt gt le ge"],
  [VECTOR, 77, "v128.", "not and andnot or xor bitselect any_true"],
  [VECTOR, 92, "v128.", "load32_zero load64_zero", "memory"],
  [VECTOR, 94, "", "f32x4.demote_f64x2_zero f64x2.promote_low_f32x4"],
  [VECTOR, 101, "i8x16.", "narrow_i16x8_s narrow_i16x8_u"],
  [VECTOR, 103, "f32x4.", "ceil floor trunc nearest"],
  [VECTOR, 110, "i8x16.", "add - - sub"],
  [VECTOR, 124, "i16x8.", "extadd_pairwise_i8x16_s extadd_pairwise_i8x16_u"],
  [VECTOR, 126, "i32x4.", "extadd_pairwise_i16x8_s extadd_pairwise_i16x8_u"],
  [
    VECTOR,
    128,
    "i16x8.",
    "abs neg q15mulr_sat_s all_true bitmask narrow_i32x4_s narrow_i32x4_u extend_low_i8x16_s extend_high_i8x16_s extend_low_i8x16_u extend_high_i8x16_u shl shr_s shr_u add add_sat_s add_sat_u sub sub_sat_s sub_sat_u - mul min_s min_u max_s max_u - avgr_u extmul_low_i8x16_s extmul_high_i8x16_s extmul_low_i8x16_u extmul_high_i8x16_u",
  ],
  [
    VECTOR,
    160,
    "i32x4.",
    "abs neg - all_true bitmask - - extend_low_i16x8_s extend_high_i16x8_s extend_low_i16x8_u extend_high_i16x8_u shl shr_s shr_u add - - sub - - - mul min_s min_u max_s max_u dot_i16x8_s - extmul_low_i16x8_s extmul_high_i16x8_s extmul_low_i16x8_u extmul_high_i16x8_u",
  ],
  [VECTOR, 224, "f32x4.", "abs neg - sqrt add sub mul div min max pmin pmax"],
  [VECTOR, 236, "f64x2.", "abs neg - sqrt add sub mul div min max pmin pmax"],
  [VECTOR, 248, "i32x4.", "trunc_sat_f32x4_s trunc_sat_f32x4_u"],
  [VECTOR, 250, "f32x4.", "convert_i32x4_s convert_i32x4_u"],
];

const INSTRUCTIONS: ReadonlyMap<string, Instruction> = new Map<string, Instruction>([
  ...RUNS.flatMap(([prefix, first, family, names, immediate = "none"]) =>
    names.split(" ").flatMap((name, at): [string, Instruction][] => {
      const code = prefix === undefined ? [first + at] : [prefix, ...unsigned(first + at)];
      return name === "-" ? [] : [[family + name, { code, immediate }]];
    })
  ),
  // Behind these stand the numbers of the memories, which are always 0.
  ["memory.size", { code: [0x3f, 0], immediate: "none" }],
  ["memory.copy", { code: [BULK, 10, 0, 0], immediate: "none" }],
  ["memory.fill", { code: [BULK, 11, 0], immediate: "none" }],
]);

const BLOCKS: Readonly<Record<string, number>> = { block: 0x02, loop: 0x03, if: 0x04 };
const ELSE = 0x05;
const END = 0x0b;
/** Type of a block that leaves nothing on the stack. */
const EMPTY = 0x40;

/** The body of one function. */
class Body {
  readonly #function: FunctionText;
  readonly #functions: ReadonlyMap<string | undefined, number>;
  readonly #variables: readonly Variable[];
  readonly #labels: (string | undefined)[] = [];
  readonly #code: number[] = [];

  constructor(one: FunctionText, functions: ReadonlyMap<string | undefined, number>) {
    this.#function = one;
    this.#functions = functions;
    this.#variables = [...one.parameters, ...one.locals];
  }

  assemble(): number[] {
    this.#code.push(...vector(this.#function.locals.map(({ type }) => [1, type])));
    this.#sequence(this.#function.body);
    this.#code.push(END);
    return this.#code;
  }

  /** Instructions one after the other; plain ones take their immediates from the words that follow. */
  #sequence(nodes: readonly Node[]): void {
    for (let at = 0; at < nodes.length;) {
      const node = nodes[at++]!;
      if (typeof node !== "string") this.#folded(node);
      else if (node === "else") this.#code.push(ELSE);
      else if (node === "end") {
        if (this.#labels.length === 0) {
          throw new AssemblyError(`cannot assemble "end": no block is open`);
        }
        this.#labels.pop();
        this.#code.push(END);
      } else if (node in BLOCKS) at = this.#open(node, nodes, at);
      else at = this.#plain(node, nodes, at);
    }
  }

  /** `(op immediates operands…)`: the operands come first. */
  #folded(node: readonly Node[]): void {
    const name = show(node[0]);
    if (name === "block" || name === "loop") {
      this.#sequence(node.slice(this.#open(name, node, 1)));
      this.#close();
    } else if (name === "if") {
      const then = node.findIndex((part) => Array.isArray(part) && part[0] === "then");
      if (then < 0) throw new AssemblyError(`cannot assemble "${show(node)}": "(then …)" missing`);
      const head = node.slice(1, then);
      const operands = head.filter((part) => Array.isArray(part) && part[0] !== "result");
      this.#sequence(operands);
      this.#open(name, head.filter((part) => !operands.includes(part)), 0);
      this.#sequence((node[then] as Node[]).slice(1));
      const otherwise = node[then + 1];
      if (otherwise !== undefined) {
        this.#code.push(ELSE);
        this.#sequence((otherwise as Node[]).slice(1));
      }
      this.#close();
    } else {
      const first = node.findIndex((part, at) => at > 0 && typeof part !== "string");
      const head = first < 0 ? node : node.slice(0, first);
      if (first > 0) this.#sequence(node.slice(first));
      const used = this.#plain(name, head, 1);
      if (used < head.length) {
        throw new AssemblyError(`cannot assemble "${show(node)}": "${show(head[used])}" too much`);
      }
    }
  }

  /** Opens a block with its label and result, if any; returns where its content begins. */
  #open(name: string, nodes: readonly Node[], at: number): number {
    this.#labels.push(isName(nodes[at]) ? nodes[at++] as string : undefined);
    let type = EMPTY;
    const result = nodes[at];
    if (Array.isArray(result) && result[0] === "result") {
      type = typeCode(result[1]);
      at++;
    }
    this.#code.push(BLOCKS[name]!, type);
    return at;
  }

  #close(): void {
    this.#labels.pop();
    this.#code.push(END);
  }

  /** Emits an instruction whose immediates stand from `at`; returns what follows them. */
  #plain(name: string, nodes: readonly Node[], at: number): number {
    const instruction = INSTRUCTIONS.get(name);
    if (!instruction) throw new AssemblyError(`cannot assemble "${name}": no such instruction`);
    const code = this.#code;
    code.push(...instruction.code);
    const word = (): string => {
      const node = nodes[at++];
      if (typeof node === "string") return node;
      throw new AssemblyError(`cannot assemble "${name}": found ${show(node)} behind it`);
    };
    switch (instruction.immediate) {
      case "none":
        break;
      case "memory": {
        let offset = 0;
        const given = nodes[at];
        if (typeof given === "string" && given.startsWith("offset=")) {
          offset = number(name, given.slice("offset=".length));
          at++;
        }
        // No promise of alignment: processors of today do not need it.
        code.push(0, ...unsigned(offset));
        break;
      }
      case "lane":
        code.push(number(name, word()));
        break;
      case "lanes":
        for (let lane = 0; lane < 16; lane++) code.push(number(name, word()));
        break;
      case "local":
        code.push(...unsigned(this.#find(name, word(), this.#variables)));
        break;
      case "label": {
        const label = word();
        const found = label.startsWith("$")
          ? this.#labels.length - 1 - this.#labels.lastIndexOf(label)
          : number(name, label);
        if (label.startsWith("$") && !this.#labels.includes(label)) {
          throw new AssemblyError(`cannot assemble "${name} ${label}": no block of that name`);
        }
        code.push(...unsigned(found));
        break;
      }
      case "function": {
        const target = word();
        const index = this.#functions.get(target);
        if (index === undefined) {
          throw new AssemblyError(`cannot assemble "call ${target}": no function of that name`);
        }
        code.push(...unsigned(index));
        break;
      }
      case "constant":
        if (name === "v128.const") {
          const shape = word();
          const lanes = Number(/^[if]\d+x(\d+)$/.exec(shape)?.[1] ?? 0);
          code.push(...lanesOf(shape, Array.from({ length: lanes }, () => number(name, word()))));
        } else code.push(...constant(name, word()));
        break;
    }
    return at;
  }

  #find(name: string, word: string, variables: readonly Variable[]): number {
    const index = word.startsWith("$")
      ? variables.findIndex((variable) => variable.name === word)
      : number(name, word);
    if (index < 0 || index >= variables.length) {
      throw new AssemblyError(
        `cannot assemble "${name} ${word}": no parameter or local of that name`,
      );
    }
    return index;
  }
}

function number(name: string, word: string): number {
  const value = Number(word.replaceAll("_", ""));
  if (Number.isNaN(value)) {
    throw new AssemblyError(`cannot assemble "${name} ${word}": expected a number`);
  }
  return value;
}

// --- the binary form ------------------------------------------------------------------------------------------------

function constant(name: string, word: string): number[] {
  switch (name) {
    case "i32.const":
      return signed(BigInt(number(name, word) | 0));
    case "i64.const":
      return signed(BigInt(word));
    case "f32.const":
      return [...new Uint8Array(Float32Array.of(number(name, word)).buffer)];
    default:
      return [...new Uint8Array(Float64Array.of(number(name, word)).buffer)];
  }
}

function lanesOf(shape: string, values: number[]): Uint8Array {
  switch (shape) {
    case "i8x16":
      return new Uint8Array(Int8Array.from(values).buffer);
    case "i16x8":
      return new Uint8Array(Int16Array.from(values).buffer);
    case "i32x4":
      return new Uint8Array(Int32Array.from(values).buffer);
    case "f32x4":
      return new Uint8Array(Float32Array.from(values).buffer);
    case "f64x2":
      return new Uint8Array(Float64Array.from(values).buffer);
    default:
      throw new AssemblyError(
        `cannot assemble "v128.const ${shape}": expected a shape, as "i32x4"`,
      );
  }
}

function section(id: number, entries: readonly (readonly number[])[]): number[] {
  return [id, ...sized(vector(entries))];
}

function vector(entries: readonly (readonly number[])[]): number[] {
  return [...unsigned(entries.length), ...entries.flat()];
}

function sized(bytes: readonly number[]): number[] {
  return [...unsigned(bytes.length), ...bytes];
}

function text(value: string): number[] {
  return sized([...new TextEncoder().encode(value)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  do {
    const rest = Math.floor(value / 128);
    bytes.push((value % 128) | (rest > 0 ? 0x80 : 0));
    value = rest;
  } while (value > 0);
  return bytes;
}

/** LEB128 with a sign. */
function signed(value: bigint): number[] {
  const bytes: number[] = [];
  for (;;) {
    const low = Number(value & 0x7fn);
    value >>= 7n;
    const isLast = (value === 0n && low < 64) || (value === -1n && low >= 64);
    bytes.push(isLast ? low : low | 0x80);
    if (isLast) return bytes;
  }
}
