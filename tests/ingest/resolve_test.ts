/** What imports mean: by the rules of the compiler for JavaScript, by the conventions of the other languages. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ts } from "ts-morph";
import { createResolver } from "../../ingest/mod.ts";

type Files = Record<string, string>;

function resolverOf(files: Files) {
  return createResolver({ paths: new Set(Object.keys(files)), read: (path) => files[path] });
}

/** Asserts what each specifier means, given as `from -> specifier` and the expected files. */
function check(
  files: Files,
  language: string,
  expected: Record<string, string | string[]>,
  names: string[] = [],
): void {
  const resolver = resolverOf(files);
  for (const [question, answer] of Object.entries(expected)) {
    const [from, specifier] = question.split(" -> ");
    const found = resolver.resolve(from!, specifier!, language, names);
    assert.deepEqual(found, [answer].flat().filter((path) => path !== ""), question);
  }
}

const json = (value: unknown): string => JSON.stringify(value);

// ---- TypeScript, JavaScript -----------------------------------------------------------------------------------------

Deno.test("resolve() follows relative specifiers with, without and with another extension", () => {
  check(
    {
      "a/x.ts": "",
      "a/y.tsx": "",
      "a/z.mts": "",
      "a/w.js": "",
      "a/dir/index.ts": "",
      "a/only.d.ts": "",
      "b.ts": "",
    },
    "typescript",
    {
      "a/x.ts -> ./y": "a/y.tsx",
      "a/x.ts -> ./y.js": "a/y.tsx",
      "a/x.ts -> ./y.jsx": "a/y.tsx",
      "a/x.ts -> ./x.ts": "a/x.ts",
      "a/x.ts -> ./z.mjs": "a/z.mts",
      "a/x.ts -> ./w": "a/w.js",
      "a/x.ts -> ./dir": "a/dir/index.ts",
      "a/x.ts -> ./dir/": "a/dir/index.ts",
      "a/dir/index.ts -> ..": "",
      "a/dir/index.ts -> ../../b": "b.ts",
      "a/x.ts -> ./only.js": "a/only.d.ts",
      "a/x.ts -> ../../outside": "",
      "a/x.ts -> ./missing": "",
      "a/x.ts -> node:fs": "",
      "a/x.ts -> https://example.com/x.ts": "",
    },
  );
});

Deno.test("resolve() gives the script behind a declaration file that stands beside it", () => {
  check({ "index.js": "", "index.d.ts": "", "test/a.js": "" }, "javascript", {
    "test/a.js -> ../index.js": ["index.d.ts", "index.js"],
    "test/a.js -> ..": ["index.d.ts", "index.js"],
  });
});

Deno.test("resolve() ignores a query behind a file name", () => {
  check({ "a.ts": "", "icon.svg": "", "worker.ts": "" }, "typescript", {
    "a.ts -> ./icon.svg?raw": "icon.svg",
    "a.ts -> ./worker?worker": "worker.ts",
  });
});

Deno.test("resolve() reads paths, baseUrl and extends of the nearest configuration, comments and all", () => {
  check(
    {
      "tsconfig.base.json":
        '{ // shared\n "compilerOptions": { "baseUrl": "./src", "paths": { "#lib/*": ["lib/*"], "exact": ["./deep/exact.ts"], "#lib/special": ["special.ts"], }, } }',
      "app/tsconfig.json": json({ extends: "../tsconfig.base.json" }),
      "other/tsconfig.json": json({
        extends: "../tsconfig.base",
        compilerOptions: { paths: { "~/*": ["./mine/*", "./yours/*"] } },
      }),
      "app/main.ts": "",
      "src/lib/a.ts": "",
      "src/special.ts": "",
      "src/deep/exact.ts": "",
      "src/plain/index.ts": "",
      "src/mine/m.ts": "",
      "src/yours/y.ts": "",
    },
    "typescript",
    {
      "app/main.ts -> #lib/a": "src/lib/a.ts",
      "app/main.ts -> #lib/a.js": "src/lib/a.ts",
      "app/main.ts -> #lib/special": "src/special.ts",
      "app/main.ts -> exact": "src/deep/exact.ts",
      "app/main.ts -> plain": "src/plain/index.ts",
      "other/main.ts -> ~/m": "src/mine/m.ts",
      "other/main.ts -> ~/y": "src/yours/y.ts",
    },
  );
});

Deno.test("resolve() takes paths from configurations that a solution refers to beside itself", () => {
  check(
    {
      "web/tsconfig.json": json({ files: [], references: [{ path: "./tsconfig.app.json" }] }),
      "web/tsconfig.app.json": json({ compilerOptions: { paths: { "@/*": ["./src/*"] } } }),
      "web/src/main.ts": "",
      "web/src/views/home.tsx": "",
    },
    "typescript",
    { "web/src/main.ts -> @/views/home": "web/src/views/home.tsx" },
  );
});

Deno.test("resolve() ends when configurations extend each other in a circle", () => {
  check(
    {
      "tsconfig.json": json({ extends: "./b.json" }),
      "b.json": json({
        extends: "./tsconfig.json",
        compilerOptions: { paths: { "x": ["./x.ts"] } },
      }),
      "x.ts": "",
      "a.ts": "",
    },
    "typescript",
    { "a.ts -> x": "x.ts" },
  );
});

const WORKSPACE: Files = {
  "package.json": json({ name: "root", workspaces: ["packages/*"] }),
  "packages/core/package.json": json({
    name: "@acme/core",
    exports: {
      ".": { types: "./dist/index.d.ts", import: "./dist/index.js" },
      "./utils/*": "./dist/utils/*.js",
      "./feature": { require: "./dist/cjs/feature.cjs", default: "./dist/esm/feature.js" },
      "./raw": { source: "./src/raw.ts", default: "./dist/raw.js" },
    },
    imports: { "#internal/*": "./dist/internal/*.js" },
  }),
  "packages/core/src/index.ts": "",
  "packages/core/src/utils/text.ts": "",
  "packages/core/src/feature/index.ts": "",
  "packages/core/src/raw.ts": "",
  "packages/core/src/hidden.ts": "",
  "packages/core/src/internal/deep.ts": "",
  "packages/ui/package.json": json({
    name: "ui",
    main: "lib/main.js",
    types: "lib/main.d.ts",
    dependencies: { local: "file:../../vendor/local", renamed: "workspace:@acme/core@*" },
  }),
  "packages/ui/src/main.tsx": "",
  "packages/ui/src/button.tsx": "",
  "packages/app/src/main.ts": "",
  "packages/ignored-manifest/src/index.ts": "",
  "vendor/local/package.json": json({ name: "local", main: "index.js" }),
  "vendor/local/index.js": "",
  "fixtures/react/package.json": json({ name: "react", main: "index.js" }),
  "fixtures/react/index.js": "",
};

Deno.test("resolve() finds packages of the workspace and traces what they build to its sources", () => {
  check(WORKSPACE, "typescript", {
    "packages/app/src/main.ts -> @acme/core": "packages/core/src/index.ts",
    "packages/app/src/main.ts -> @acme/core/utils/text": "packages/core/src/utils/text.ts",
    "packages/app/src/main.ts -> @acme/core/feature": "packages/core/src/feature/index.ts",
    "packages/app/src/main.ts -> @acme/core/raw": "packages/core/src/raw.ts",
    "packages/app/src/main.ts -> @acme/core/hidden": "",
    "packages/app/src/main.ts -> ui": "packages/ui/src/main.tsx",
    "packages/app/src/main.ts -> ui/button": "packages/ui/src/button.tsx",
    "packages/app/src/main.ts -> npm:@acme/core@^1.2.0/feature":
      "packages/core/src/feature/index.ts",
    "packages/app/src/main.ts -> @acme/other": "",
  });
});

Deno.test("resolve() knows a package by its own name, its imports and its linked dependencies", () => {
  check(WORKSPACE, "typescript", {
    "packages/core/src/utils/text.ts -> @acme/core": "packages/core/src/index.ts",
    "packages/core/src/utils/text.ts -> #internal/deep": "packages/core/src/internal/deep.ts",
    "packages/ui/src/main.tsx -> local": "vendor/local/index.js",
    "packages/ui/src/main.tsx -> renamed/feature": "packages/core/src/feature/index.ts",
  });
});

Deno.test("resolve() takes a stray manifest for no package and a member without manifest by its folder", () => {
  check(WORKSPACE, "typescript", {
    "packages/app/src/main.ts -> react": "",
    "packages/app/src/main.ts -> ignored-manifest": "packages/ignored-manifest/src/index.ts",
  });
});

Deno.test("resolve() reads workspaces of pnpm and prefers conditions that the configuration names", () => {
  check(
    {
      "pnpm-workspace.yaml": "packages:\n  - 'libs/*' # all\n  - \"!libs/old\"\nother:\n  - x\n",
      "libs/z/package.json": json({
        name: "z",
        exports: { "./v4": { "@z/source": "./src/v4/index.ts", types: "./v4/index.d.ts" } },
      }),
      "libs/z/v4/index.d.ts": "",
      "libs/z/src/v4/index.ts": "",
      "libs/old/package.json": json({ name: "old", main: "./a.js" }),
      "libs/old/a.js": "",
      "libs/app/package.json": json({ name: "app" }),
      "libs/app/tsconfig.json": json({ compilerOptions: { customConditions: ["@z/source"] } }),
      "libs/plain/package.json": json({ name: "plain" }),
    },
    "typescript",
    {
      "libs/app/a.ts -> z/v4": "libs/z/src/v4/index.ts",
      "libs/plain/a.ts -> z/v4": "libs/z/v4/index.d.ts",
      "libs/app/a.ts -> old": "",
    },
  );
});

Deno.test("resolve() reads import maps of deno.json and members of its workspace", () => {
  check(
    {
      "deno.json":
        '{ "workspace": ["./a", "./b"], "imports": { "@/": "./shared/", "std": "jsr:@std/x@1", "bee": "jsr:@acme/b@^1" } }',
      "a/deno.json": json({ name: "@acme/a", exports: { ".": "./mod.ts", "./sub": "./sub/x.ts" } }),
      "a/mod.ts": "",
      "a/sub/x.ts": "",
      "b/deno.jsonc": '{ "name": "@acme/b", "exports": "./main.ts" /* one */ }',
      "b/main.ts": "",
      "shared/util.ts": "",
    },
    "typescript",
    {
      "b/main.ts -> @acme/a": "a/mod.ts",
      "b/main.ts -> @acme/a/sub": "a/sub/x.ts",
      "b/main.ts -> jsr:@acme/a@1/sub": "a/sub/x.ts",
      "a/mod.ts -> @/util.ts": "shared/util.ts",
      "a/mod.ts -> bee": "b/main.ts",
      "a/mod.ts -> std": "",
    },
  );
});

/** Small trees of files in which every name may stand for several files. */
const tree = fc.uniqueArray(
  fc.tuple(
    fc.constantFrom("", "a/", "a/b/", "c/"),
    fc.constantFrom("m", "n", "index"),
    fc.constantFrom(".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".cts"),
  ).map((parts) => parts.join("")),
  { minLength: 1, maxLength: 12 },
);
const relative = fc.tuple(
  fc.constantFrom("./", "../", "./a/", "../c/", "./b/"),
  fc.constantFrom("m", "n", "a", "b", "index", ""),
  fc.constantFrom("", ".js", ".jsx", ".ts", ".mjs", ".cjs"),
).map((parts) => parts.join(""));

Deno.test("resolve() finds what the compiler finds for relative specifiers", () => {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.Preserve,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    allowJs: true,
    allowImportingTsExtensions: true,
  };
  fc.assert(
    fc.property(
      tree,
      fc.constantFrom("a/from.ts", "from.ts", "a/b/from.ts"),
      relative,
      (paths, from, specifier) => {
        const all = new Set([...paths, from]);
        const files = new Set([...all].map((path) => `/repository/${path}`));
        const { resolvedModule } = ts.resolveModuleName(specifier, `/repository/${from}`, options, {
          fileExists: (name) => files.has(name),
          directoryExists: (name) => [...files].some((path) => path.startsWith(`${name}/`)),
          readFile: () => undefined,
        });
        if (!resolvedModule) return;
        const resolver = createResolver({ paths: all, read: () => "" });
        const [found] = resolver.resolve(from, specifier, "typescript");
        assert.equal(`/repository/${found}`, resolvedModule.resolvedFileName);
      },
    ),
    { numRuns: 400 },
  );
});

Deno.test("resolve() finds what the compiler finds through paths of a configuration", () => {
  const files: Files = {
    "tsconfig.json": json({
      compilerOptions: {
        paths: { "@/*": ["./src/*"], "@/b/*": ["./src/b/*", "./lib/*"], "*.gen": ["./gen/*"] },
      },
    }),
    "src/a.ts": "",
    "src/b/c/index.ts": "",
    "lib/d.tsx": "",
    "gen/e.ts": "",
    "src/b/e.d.ts": "",
    "x.ts": "",
  };
  const { config } = ts.readConfigFile("/tsconfig.json", () => files["tsconfig.json"]);
  const resolver = resolverOf(files);
  for (const specifier of ["@/a", "@/a.js", "@/b/c", "@/b/d", "e.gen", "@/b/e", "@/none", "@/b"]) {
    const { resolvedModule } = ts.resolveModuleName(specifier, "/x.ts", {
      ...config.compilerOptions,
      pathsBasePath: "/",
      module: ts.ModuleKind.Preserve,
      moduleResolution: ts.ModuleResolutionKind.Bundler,
    }, {
      fileExists: (name) => name.slice(1) in files,
      readFile: (name) => files[name.slice(1)],
    });
    assert.equal(
      resolver.resolve("x.ts", specifier, "typescript")[0],
      resolvedModule?.resolvedFileName.slice(1),
      specifier,
    );
  }
});

// ---- other languages ------------------------------------------------------------------------------------------------

const PYTHON: Files = {
  "pyproject.toml": "",
  "src/shop/__init__.py": "",
  "src/shop/cart.py": "",
  "src/shop/pay/__init__.py": "",
  "src/shop/pay/card.py": "",
  "tests/test_cart.py": "",
  "tests/helpers.py": "",
  "tools/helpers.py": "",
};

Deno.test("resolve() finds Python modules from source roots and by dots", () => {
  check(PYTHON, "python", {
    "tests/test_cart.py -> shop": "src/shop/__init__.py",
    "tests/test_cart.py -> shop.cart": "src/shop/cart.py",
    "tests/test_cart.py -> shop.pay.card": "src/shop/pay/card.py",
    "tests/test_cart.py -> shop.pay.card.Card": "src/shop/pay/card.py",
    "tests/test_cart.py -> helpers": "tests/helpers.py",
    "src/shop/cart.py -> .pay": "src/shop/pay/__init__.py",
    "src/shop/pay/card.py -> ..cart": "src/shop/cart.py",
    "src/shop/pay/card.py -> .": "src/shop/pay/__init__.py",
    "src/shop/cart.py -> os.path": "",
    "src/shop/cart.py -> ....far": "",
  });
});

Deno.test("resolve() takes names imported from a Python package for its modules where they are", () => {
  check(PYTHON, "python", {
    "src/shop/__init__.py -> .": ["src/shop/cart.py", "src/shop/__init__.py"],
    "tests/test_cart.py -> shop": ["src/shop/cart.py", "src/shop/__init__.py"],
  }, ["cart", "VERSION"]);
});

Deno.test("resolve() maps Go packages to the files of their folder, tests left out", () => {
  check(
    {
      "go.mod": "module example.com/acme/shop/v2\n\ngo 1.22\n",
      "main.go": "",
      "cart/cart.go": "",
      "cart/line.go": "",
      "cart/cart_test.go": "",
      "tools/go.mod": 'module "example.com/acme/shop/v2/tools"\n',
      "tools/gen/gen.go": "",
    },
    "go",
    {
      "main.go -> example.com/acme/shop/v2/cart": ["cart/cart.go", "cart/line.go"],
      "cart/cart.go -> example.com/acme/shop/v2": "main.go",
      "main.go -> example.com/acme/shop/v2/tools/gen": "tools/gen/gen.go",
      "main.go -> example.com/acme/shop/v20/cart": "",
      "main.go -> fmt": "",
    },
  );
});

Deno.test("resolve() follows Rust modules, crates of the workspace, self and super", () => {
  check(
    {
      "Cargo.toml": '[workspace]\nmembers = ["crates/*"]\n',
      "crates/core-lib/Cargo.toml": '[package]\nname = "core-lib"\n[dependencies]\n',
      "crates/core-lib/src/lib.rs": "",
      "crates/core-lib/src/net.rs": "",
      "crates/core-lib/src/net/tcp.rs": "",
      "crates/core-lib/src/util/mod.rs": "",
      "crates/core-lib/src/util/text.rs": "",
      "crates/app/Cargo.toml": '[package]\nversion = "1"\nname = "app"\n',
      "crates/app/src/main.rs": "",
      "crates/app/tests/it.rs": "",
      "crates/app/tests/common/mod.rs": "",
    },
    "rust",
    {
      "crates/core-lib/src/lib.rs -> net": "crates/core-lib/src/net.rs",
      "crates/core-lib/src/net.rs -> tcp": "crates/core-lib/src/net/tcp.rs",
      "crates/core-lib/src/net/tcp.rs -> crate::util::text::Text":
        "crates/core-lib/src/util/text.rs",
      "crates/core-lib/src/net/tcp.rs -> super::Listener": "crates/core-lib/src/net.rs",
      "crates/core-lib/src/util/text.rs -> super::super::net": "crates/core-lib/src/net.rs",
      "crates/core-lib/src/util/mod.rs -> self::text": "crates/core-lib/src/util/text.rs",
      "crates/core-lib/src/net.rs -> crate::Error": "crates/core-lib/src/lib.rs",
      "crates/app/src/main.rs -> core_lib::net::tcp": "crates/core-lib/src/net/tcp.rs",
      "crates/app/src/main.rs -> core_lib::Error": "crates/core-lib/src/lib.rs",
      "crates/app/tests/it.rs -> common": "crates/app/tests/common/mod.rs",
      "crates/app/src/main.rs -> std::collections": "",
    },
  );
});

Deno.test("resolve() finds Java and Kotlin types, nested ones, static members and wildcards by package", () => {
  check(
    {
      "app/src/main/java/com/acme/Cart.java": "",
      "app/src/main/java/com/acme/Line.java": "",
      "app/src/main/kotlin/com/acme/Tax.kt": "",
      "lib/src/main/java/com/acme/Cart.java": "",
      "app/src/test/java/com/acme/CartTest.java": "",
    },
    "java",
    {
      "app/src/test/java/com/acme/CartTest.java -> com.acme.Cart":
        "app/src/main/java/com/acme/Cart.java",
      "lib/src/main/java/org/X.java -> com.acme.Cart": "lib/src/main/java/com/acme/Cart.java",
      "app/src/main/java/org/X.java -> com.acme.Cart.Builder":
        "app/src/main/java/com/acme/Cart.java",
      "app/src/main/java/org/X.java -> com.acme.Tax.RATE": "app/src/main/kotlin/com/acme/Tax.kt",
      "app/src/main/java/org/X.java -> com.acme.Line.*": "app/src/main/java/com/acme/Line.java",
      "app/src/main/java/org/X.java -> java.util.List": "",
    },
  );
});

Deno.test("resolve() finds C headers beside the file, below include, and by the end of the path", () => {
  check(
    {
      "src/a.c": "",
      "src/a.h": "",
      "include/acme/api.h": "",
      "third/zip/include/zip.h": "",
      "other/a.h": "",
    },
    "c",
    {
      "src/a.c -> a.h": "src/a.h",
      "src/a.c -> acme/api.h": "include/acme/api.h",
      "src/a.c -> zip.h": "third/zip/include/zip.h",
      "src/a.c -> ip.h": "",
      "src/a.c -> ../other/a.h": "other/a.h",
      "src/a.c -> stdio.h": "",
    },
  );
});

Deno.test("resolve() follows Ruby requires, PHP namespaces and sourced shell files", () => {
  const files: Files = {
    "lib/shop.rb": "",
    "lib/shop/cart.rb": "",
    "spec/cart_spec.rb": "",
    "composer.json": json({ autoload: { "psr-4": { "Acme\\": "src/", "Acme\\Pay\\": ["pay/"] } } }),
    "src/Cart/Line.php": "",
    "pay/Card.php": "",
    "index.php": "",
    "bin/run.sh": "",
    "bin/lib/log.sh": "",
  };
  check(files, "ruby", {
    "spec/cart_spec.rb -> shop/cart": "lib/shop/cart.rb",
    "lib/shop.rb -> ./shop/cart": "lib/shop/cart.rb",
    "lib/shop.rb -> json": "",
  });
  check(files, "php", {
    "index.php -> Acme\\Cart\\Line": "src/Cart/Line.php",
    "index.php -> \\Acme\\Pay\\Card": "pay/Card.php",
    "index.php -> src/Cart/Line.php": "src/Cart/Line.php",
    "index.php -> DateTime": "",
  });
  check(files, "bash", {
    'bin/run.sh -> "$(dirname "$0")/lib/log.sh"': "bin/lib/log.sh",
    "bin/run.sh -> ${BASH_SOURCE%/*}/lib/log.sh": "bin/lib/log.sh",
    "bin/run.sh -> ./lib/log.sh": "bin/lib/log.sh",
    "bin/run.sh -> /etc/profile": "",
  });
});

Deno.test("resolve() never leaves the workspace, whatever the specifier", () => {
  const files = {
    ...WORKSPACE,
    ...PYTHON,
    "a.rs": "",
    "a.go": "",
    "go.mod": "module m\n",
    "a.c": "",
  };
  const resolver = resolverOf(files);
  const languages = fc.constantFrom(
    "typescript",
    "python",
    "go",
    "rust",
    "java",
    "c",
    "ruby",
    "php",
    "bash",
    "csharp",
    "text",
  );
  const specifier = fc.oneof(
    fc.string(),
    fc.array(
      fc.constantFrom(".", "/", "..", "*", "@", "#", "::", "a", "acme", "core", "\\", "super"),
      { maxLength: 12 },
    ).map((parts) => parts.join("")),
  );
  fc.assert(
    fc.property(
      languages,
      specifier,
      fc.constantFrom(...Object.keys(files)),
      (language, text, from) => {
        for (const path of resolver.resolve(from, text, language, [text])) {
          assert.ok(
            path in files,
          );
        }
      },
    ),
    { numRuns: 500 },
  );
});
