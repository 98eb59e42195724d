import { describe, expect, test } from "vitest";
import { runCli } from "../../../src/app/cli.ts";
import { EXIT } from "../../../src/app/exit-codes.ts";
import { VERSION } from "../../../src/app/version.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const terminal = recordingTerminal();
  const code = await runCli(argv, terminal);
  return { code, out: terminal.outLines.join("\n"), err: terminal.errLines.join("\n") };
}

describe("command line", () => {
  test("--help names every command and every exit code", async () => {
    const { code, out } = await run("--help");
    expect(code).toBe(0);
    const commands = ["start", "demo", "doctor", "keygen", "mine", "plugin", "chain", "reload"];
    for (const command of [...commands, "rewards", "blocks", "workers", "effort", "ledger"])
      expect(out).toMatch(new RegExp(`^  ${command} `, "m"));
    for (const row of Object.values(EXIT)) expect(out).toContain(`${row.code}`.padEnd(4) + row.doc);
    expect(out).not.toContain("docs");
  });

  test.each([
    "start",
    "demo",
    "doctor",
    "keygen",
    "mine",
    "plugin list",
    "chain list",
    "chain enable",
    "chain disable",
    "chain restart",
    "reload",
    "rewards",
    "blocks",
    "workers",
    "effort",
    "ledger check",
  ])("%s --help explains itself", async (command) => {
    const { code, out } = await run(...command.split(" "), "--help");
    expect(code).toBe(0);
    expect(out).toContain(`Usage: bllvm-stratum-v2 ${command}`);
  });

  test("--version prints the version of package.json", async () => {
    expect(await run("--version")).toMatchObject({ code: 0, out: VERSION });
    expect(VERSION).toMatch(/^\d+\.\d+\.\d+/);
  });

  test.each([
    [["strat"], "unknown command 'strat'\n(Did you mean start?)"],
    [["start", "--devnett"], "unknown option '--devnett'\n(Did you mean --devnet?)"],
    [["mine"], "missing required argument 'url'"],
    [["mine", "tcp://127.0.0.1:1", "--shares", "none"], "expected a whole number above 0"],
    [["mine", "tcp://127.0.0.1:1", "--worker", "rig1"], "--worker needs --extended"],
    [["mine", "http://pool.example.com"], "an address is not one of a Stratum V2 server"],
    [["mine", "stratum2+tcp://127.0.0.1:1/key"], "a text is not an authority key"],
  ])("%j is a usage error that says what is wrong", async (argv, message) => {
    const { code, err } = await run(...argv);
    expect(code).toBe(EXIT.usage.code);
    expect(err).toContain(message);
  });

  test("a configuration that cannot be read ends with its fault, what to do, and the usage code", async () => {
    const { code, err } = await run("start", "-c", "/nonexistent/config.toml");
    expect(code).toBe(EXIT.usage.code);
    expect(err).toContain("error: the configuration file cannot be read (file /nonexistent/config.toml)");
    expect(err).toContain("what to do: Give the right path with -c");
  });
});
