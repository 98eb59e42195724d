import { expect, test } from "vitest";
import { parseConfig } from "../../../../src/app/config/load.ts";
import { Fault, describe as words } from "../../../../src/kernel/fault.ts";

test("a mistake in a file is told by line and column, and never with the lines themselves: one may be a password", () => {
  for (const text of ["[bllvm]\npassword = hunter2secret\n", '[bllvm]\npassword = "hunter2secret"\nuser = x y\n']) {
    let said = "";
    try {
      parseConfig(text, "config.toml");
    } catch (error) {
      expect(error).toBeInstanceOf(Fault);
      said = `${words(error)} ${String((error as Fault).cause)}`;
    }
    expect(said).toMatch(/config\.toml, line \d+, column \d+/);
    expect(said).toContain("Invalid TOML");
    expect(said).not.toContain("hunter2");
  }
});
