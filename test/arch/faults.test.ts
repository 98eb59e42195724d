import { describe, expect, test } from "vitest";
import { FAULTS, RETIRED } from "../../src/kernel/fault.ts";
import type { FaultRow } from "../../src/kernel/faults/row.ts";
import { sources } from "../support/sources.ts";

const rows = Object.entries(FAULTS as Readonly<Record<string, FaultRow>>);
const code = sources("src", "plugins")
  .filter(({ path }) => !path.startsWith("src/kernel/faults/"))
  .map(({ text }) => text)
  .join("\n");

describe("the fault table", () => {
  test("every code is used by the program", () => {
    expect(rows.filter(([name]) => !code.includes(`"${name}"`)).map(([name]) => name)).toEqual([]);
  });

  test("every code, its sentence or its SV2 string is asserted by some test", () => {
    const tests = sources("test")
      .filter(({ path }) => path !== "test/arch/faults.test.ts")
      .map(({ text }) => text)
      .join("\n");
    const named = (text: string | undefined): boolean => text !== undefined && tests.includes(text);
    // A clause of the sentence is enough: assertions quote what a reader looks for.
    const clause = (what: string): string => what.split(" ").slice(-5).join(" ");
    const untested = rows.filter(
      ([code, { what, wire }]) =>
        !new RegExp(`(?<![\\w-])${code}(?![\\w-])`).test(tests) && !named(wire) && !named(clause(what)),
    );
    expect(untested.map(([code]) => code)).toEqual([]);
  });

  test("every row says what happened and what to do, in sentences", () => {
    for (const [name, { what, help }] of rows) {
      expect(what, name).not.toMatch(/\.$/);
      expect(what.length, name).toBeGreaterThan(10);
      expect(help, name).toMatch(/[.?!)]$/);
      expect(help.length, name).toBeGreaterThan(20);
    }
  });

  test("only replies carry an SV2 error code, and each is printable ASCII", () => {
    for (const [name, row] of rows) {
      if (row.wire === undefined) continue;
      expect(row.act, name).toBe("reply");
      expect(row.wire, name).toMatch(/^[\x20-\x7e]{1,255}$/);
    }
  });

  test("no retired code is used again", () => {
    expect(RETIRED.filter((name) => name in FAULTS)).toEqual([]);
  });
});
