import { describe, expect, test } from "vitest";
import { schemaCandidates } from "../../../../../src/node/bllvm/wire/version.ts";

describe("schemaCandidates", () => {
  // What nodes of each schema answer: crates say their own version, those built from git what Cargo.toml said at the tag.
  test.each([
    ["0.1.0", ["s1", "s2"], "tags v0.1.1 to v0.1.5"],
    ["0.1.1", ["s1"], "crate"],
    ["0.1.4", ["s1"], "crate"],
    ["0.1.5", ["s2"], "crate"],
    ["0.1.6", ["s2"], "crate, and tag v0.1.7"],
    ["0.1.8", ["s2", "s3"], "crate, and tags v0.1.9 and v0.1.10"],
    ["0.1.9", ["s2"], "crate"],
    ["0.1.10", ["s3"], "crate, and tag v0.1.11"],
    ["0.1.13", ["s3"], "crate, and tags v0.1.21 to v0.1.54"],
    ["0.1.54", ["s3"], "crate"],
    ["0.1.55", ["s4", "s3"], "crate, seen in documentation only"],
    ["0.1.91", ["s4", "s3"], "crate, seen in documentation only"],
    ["0.2.0", ["s4", "s3"], "not there yet"],
    ["1.0.0-rc.1", ["s4", "s3"], "not there yet"],
    ["0.1.20-dirty", ["s3"], "built from changed sources"],
  ])("a node that calls itself %s: %j (%s)", (nodeVersion, schemas) => {
    expect(schemaCandidates({ family: "socket", nodeVersion, wire: "auto" })).toEqual(schemas);
  });

  test.each([[undefined], [""], ["v0.1.9"], ["0.1"], ["0.1.9.1"], ["99999999999.1.1"]])(
    "a node that says %j is taken for the last tags",
    (nodeVersion) => {
      expect(schemaCandidates({ family: "socket", nodeVersion, wire: "auto" })[0]).toBe("s3");
    },
  );

  test("a node that started us with arguments is of the N schemas, whatever it says", () => {
    expect(schemaCandidates({ family: "legacy", nodeVersion: "0.1.0", wire: "auto" })).toEqual(["n2", "n1", "n0"]);
    expect(schemaCandidates({ family: "legacy", nodeVersion: undefined, wire: "auto" })).toEqual(["n2", "n1", "n0"]);
  });

  test("the configuration has the last word", () => {
    expect(schemaCandidates({ family: "legacy", nodeVersion: "0.1.0", wire: "s4" })).toEqual(["s4"]);
    expect(schemaCandidates({ family: "socket", nodeVersion: "0.1.54", wire: "n1" })).toEqual(["n1"]);
  });
});
