/** Licences of packages: which ones are permissive, read from where npm and Debian state them. */
import assert from "node:assert/strict";
import {
  debianLicence,
  licenceOfText,
  npmLicence,
  permissiveLicence,
} from "../../../rag/train/licences.ts";

Deno.test("permissiveLicence() asks for every part of an and, and for one of an or", () => {
  const expected: Record<string, string | undefined> = {
    "MIT": "MIT",
    "Expat": "MIT",
    "apache-2.0": "Apache-2.0",
    "MIT OR Apache-2.0": "Apache-2.0 OR MIT",
    "MIT/Apache-2.0": "Apache-2.0 OR MIT",
    "GPL-2+ or BSD-3-clause": "BSD-3-Clause",
    "(BSD-3-Clause OR GPL-2.0)": "BSD-3-Clause",
    "Expat and BSD-2-clause": "BSD-2-Clause AND MIT",
    "Expat, and Zlib": "MIT AND Zlib",
    "MIT AND (ISC OR GPL-3.0)": "ISC AND MIT",
    "MIT AND (ISC OR 0BSD)": "(0BSD OR ISC) AND MIT",
    "MIT and GPL-2": undefined,
    "MPL-2.0": undefined,
    "LGPL-2.1+": undefined,
    "SEE LICENSE IN LICENSE": undefined,
    "MIT with exception": undefined,
    "Apache-2.0 WITH LLVM-exception OR MIT": "MIT",
    "MIT AND Apache-2.0 WITH LLVM-exception": undefined,
    "UNLICENSED": undefined,
    "(MIT": undefined,
    "": undefined,
  };
  for (const [stated, licence] of Object.entries(expected)) {
    assert.equal(permissiveLicence(stated), licence, stated);
  }
});

const archived = (files: Record<string, string>) =>
  Object.entries(files).map(([path, text]) => ({ path, bytes: new TextEncoder().encode(text) }));

Deno.test("npmLicence() wants a permissive field and the text of the licence", () => {
  const files = (license: unknown, text = "LICENSE.md") =>
    archived({ "package/package.json": JSON.stringify({ license }), [`package/${text}`]: "text" });
  assert.equal(npmLicence("tiny", files("ISC")), "ISC");
  assert.equal(npmLicence("tiny", files({ type: "MIT", url: "x" }, "license")), "MIT");
  assert.throws(() => npmLicence("tiny", files("AGPL-3.0")), /is "AGPL-3\.0", expected 0BSD, /);
  assert.throws(() => npmLicence("tiny", files(undefined)), /is "none", expected/);
  assert.throws(() => npmLicence("tiny", files("MIT", "lib/LICENSE")), /no file with the text/);
});

const MIT_TEXT = `
 Permission is hereby granted, free of charge, to any person obtaining a
 copy of this software, to deal in the Software without restriction, including
 without limitation the rights to use, copy, modify, merge, publish, distribute,
 sublicense, and/or sell copies of the Software.
 .
 The above copyright notice and this permission notice shall be included in
 all copies or substantial portions of the Software.`;

Deno.test("debianLicence() joins what holds for the sources that are taken, and for no others", () => {
  const licence = (copyright: string, sources = ["tiny/voice.py", "tiny/url.py"]) =>
    debianLicence("tiny", archived({ "usr/share/doc/tiny/copyright": copyright }), sources);
  const head = "Format: x\n\nFiles: *\nCopyright: someone\nLicense: Expat\n";
  assert.equal(licence(head), "MIT");
  assert.equal(licence(`${head}\nFiles: debian/*\nLicense: GPL-3+\n`), "MIT");
  assert.equal(licence(`${head}\nFiles: docs/*\n tests/big.dtd\nLicense: CC-BY-SA-4.0\n`), "MIT");
  assert.equal(
    licence(`${head}\nFiles: src/url.py\nLicense: PSF-2 or GPL-2\n`),
    "MIT AND PSF-2.0",
  );
  assert.equal(licence(`Files: *\nLicense: Own\n\nLicense: Own${MIT_TEXT}\n`), "MIT");
  assert.throws(
    () => licence(`${head}\nFiles:\n vendor/*/url.py\nLicense: GPL-2\n`),
    /^Error: cannot take "tiny": the licence of files "vendor\/\*\/url\.py" is "GPL-2", expected 0BSD/,
  );
  assert.throws(() => licence("Files: *\nLicense: Own\n\nLicense: Own\n Ask first.\n"), /is "Own"/);
  assert.throws(() => licence("It is free, I think.\n"), /expected the machine-readable form$/);
  assert.throws(() => debianLicence("tiny", [], []), /has no copyright file$/);
});

Deno.test("licenceOfText() tells BSD's clauses apart, and wants all of them", () => {
  const two = `Redistribution and use in source and binary forms, with or without modification, are
    permitted provided that: 1. Redistributions of source code must retain the above copyright notice,
    this list of conditions and the following disclaimer. 2. Redistributions in binary form must reproduce
    the above copyright notice, this list of conditions and the following disclaimer in the documentation.`;
  const third = ` 3. Neither the name of the author may be used to endorse or promote products
    derived from this software without specific permission.`;
  assert.equal(licenceOfText(two), "BSD-2-Clause");
  assert.equal(licenceOfText(two + third), "BSD-3-Clause");
  assert.equal(licenceOfText(`${two} All advertising materials must say so.`), undefined);
  assert.equal(licenceOfText(`${two} 3. Redistributions of any form must say so.`), undefined);
  assert.equal(licenceOfText(MIT_TEXT), "MIT");
  assert.equal(licenceOfText(MIT_TEXT.replace("without restriction", "without malice")), undefined);
});
