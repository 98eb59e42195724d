/** module.toml against what it describes: the package, the launcher, and the seed's manifest. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "smol-toml";
import { expect, test } from "vitest";
import { MODULE_NAME } from "../../src/app/module/module-name.ts";
import { OPERATIONS } from "../../src/node/bllvm/client/operations.ts";
import { ROOT } from "../support/sources.ts";

const text = readFileSync(join(ROOT, "module.toml"), "utf8");
const manifest = parse(text);
const launcher = readFileSync(join(ROOT, "src/app/module", MODULE_NAME));

test("its version is the package's", () => {
  const { version, name } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect([manifest.name, manifest.version]).toEqual([name, version]);
  expect(name).toBe(MODULE_NAME);
});

test("its hash is the launcher's: nodes with a registry load nothing else", () => {
  const hash = createHash("sha256").update(launcher).digest("hex");
  expect(manifest.binary, `the launcher changed; write hash = "${hash}" into module.toml`).toEqual({ hash });
});

test("it begins as the seed's manifest does, and grants what reading the chain's tip takes", () => {
  expect(Object.keys(manifest).slice(0, 6)).toEqual([
    "name",
    "version",
    "description",
    "author",
    "entry_point",
    "capabilities",
  ]);
  expect(manifest).toMatchObject({
    description: "Stratum V2 mining protocol module",
    author: "Bitcoin Commons Team",
    entry_point: MODULE_NAME,
  });
  const capabilities = manifest.capabilities as string[];
  expect(capabilities.slice(0, 2)).toEqual(["read_blockchain", "subscribe_events"]);
});

test("its capabilities are those that our requests take, and no more: a list that is given is all that is granted", () => {
  const taken = new Set<string>(Object.values(OPERATIONS).map(({ capability }) => capability));
  taken.delete("none");
  taken.add("subscribe_events");
  expect(new Set(manifest.capabilities as string[])).toEqual(taken);
});

test("the launcher starts no process before Node.js, where a fork may hang, and needs bash, which keeps names with dots", () => {
  const code = launcher.toString("utf8");
  expect(code).toMatch(/^#!\/usr\/bin\/env bash\n/);
  const lines = code.split("\n").filter((line) => !line.trimStart().startsWith("#"));
  expect(
    lines.filter((line) => /\$\((?!\()|`[^`]*`(?!')|<\(|(?<![|])\|(?![|])/.test(line.replaceAll(/'[^']*'/g, ""))),
  ).toEqual([]);
});
