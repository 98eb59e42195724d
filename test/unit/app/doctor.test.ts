/** What `doctor` prints of words that others chose: logs, nodes, daemons. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { doctor } from "../../../src/app/commands/doctor.ts";
import type { Finding } from "../../../src/app/commands/doctor-chains.ts";
import { recordingTerminal } from "../../support/recording-terminal.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const signal = new AbortController().signal;

test("a log cannot repaint the terminal; programs get its words as they are", async () => {
  // Erases what stands above and writes another verdict over it.
  const words = "gone\u001b[2J\u001b[Hok      everything\u202e\rok";
  // A name of a folder stands in the advice.
  const dataDir = join(folder, "mo\u001b[31mdule");
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, "module.log"), `${JSON.stringify({ level: 50, msg: words })}\n`);
  const options = { module: true, dataDir };

  const paper = recordingTerminal();
  await doctor({ ...options, json: false }, paper, signal);
  const printed = paper.outLines.join("\n");
  expect(printed).toContain("gone\\u{1b}[2J\\u{1b}[Hok      everything\\u{202e}\\u{d}ok");
  expect(printed).toMatch(/fix: Do what the line says.*mo\\u\{1b\}\[31mdule/);
  expect(printed.replaceAll("\n", "")).not.toMatch(/[\p{Cc}\p{Cf}]/u);

  const program = recordingTerminal();
  await doctor({ ...options, json: true }, program, signal);
  const { findings } = JSON.parse(program.outLines.join("\n")) as { findings: Finding[] };
  expect(findings.some(({ detail }) => detail.includes(words))).toBe(true);
});
