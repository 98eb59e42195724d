/**
 * SRI's published crates print the golden bytes anew, and they are those of test/vectors, which the unit tests hold our
 * codec and our handshake to: neither the files nor the crates behind them have moved.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { ROOT } from "../support/sources.ts";
import { ownCrate } from "./foreign/install.ts";

const golden = await ownCrate("sri-golden", join(ROOT, "test/interop/golden"), 240);

describe.skipIf(golden === undefined)("SRI's crates", () => {
  test.each([
    ["messages", 135],
    ["noise", 2],
  ] as const)("print test/vectors/sri-%s.json", (what, atLeast) => {
    const printed = execFileSync(golden ?? "", [what], { encoding: "utf8", maxBuffer: 1 << 26 });
    const document = JSON.parse(printed);
    expect((document.messages ?? document.runs).length).toBeGreaterThanOrEqual(atLeast);
    expect(printed).toBe(readFileSync(join(ROOT, `test/vectors/sri-${what}.json`), "utf8"));
  });
});
