/**
 * `deno task build-web`: writes `built/`, the files of the page as they are served.
 *
 * Owns the bundling, which Deno's own bundler (esbuild inside) does. What must hold: the same sources and the same Deno give the same
 * bytes, so that a test can tell whether what is committed was built from what is committed; nothing that the page loads comes from
 * elsewhere.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const ROOT = join(HERE, "..", "..", "..");
/** Files that go out as they are, but for white space and comments. */
const MARKUP = ["page.html", "locked.html", "icon.svg"];
const STYLE = "page.css";
/** The page's packages stand in this lock file, since no command needs them. */
const LOCK = join("rag", "embed", "models.lock");

/** The files of the page by name. */
export async function buildPage(): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  files.set("page.js", await bundle());
  files.set(STYLE, minifyStyle(await Deno.readTextFile(join(HERE, STYLE))));
  for (const name of MARKUP) {
    const text = await Deno.readTextFile(join(HERE, name));
    files.set(name, `${text.replace(/>\s*\n\s*</g, "><").trim()}\n`);
  }
  return files;
}

async function bundle(): Promise<string> {
  const folder = await Deno.makeTempDir({ prefix: "batos-page-" });
  try {
    const out = join(folder, "page.js");
    const { success, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "bundle",
        `--lock=${LOCK}`,
        "--platform=browser",
        "--minify",
        `--output=${out}`,
        "kernel/doors/web/page.tsx",
      ],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    if (!success) throw new Error(`bundle the page: ${new TextDecoder().decode(stderr).trim()}`);
    return await Deno.readTextFile(out);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A style sheet without comments and white space; strings in it are kept. */
function minifyStyle(text: string): string {
  return text
    .replace(/\/\*[^]*?\*\//g, "")
    .replace(/\s+/g, " ")
    .replace(/ ?([{};,]) ?/g, "$1")
    .replace(/: /g, ":")
    .replace(/;}/g, "}")
    .trim() + "\n";
}

if (import.meta.main) {
  const built = join(HERE, "built");
  await Deno.mkdir(built, { recursive: true });
  for (const [name, text] of await buildPage()) {
    await Deno.writeTextFile(join(built, name), text);
    console.log(`${name}  ${new TextEncoder().encode(text).length} bytes`);
  }
}
