/** module.log on a real disk: bounded, whole lines, and shared with what Node.js itself writes. */
import { appendFileSync, chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { logTo } from "../../src/app/log.ts";
import { LogFile } from "../../src/app/module/log-file.ts";

const folder = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-log-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a file that is full is set aside, and so many are kept", () => {
  const path = join(folder, "module.log");
  const file = new LogFile({ path, maxBytes: 10_000, keep: 2 });
  const log = logTo(file, { level: "info" });
  for (let i = 0; i < 1000; i++) log.info(`line ${i}`);
  file.close();
  expect(readdirSync(folder).sort()).toEqual(["module.log", "module.log.1", "module.log.2"]);
  const texts = ["module.log.2", "module.log.1", "module.log"].map((name) => readFileSync(join(folder, name), "utf8"));
  for (const text of texts) expect(text.length).toBeLessThanOrEqual(10_000);
  const numbers = texts.flatMap((text) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => Number(JSON.parse(line).msg.slice(5))),
  );
  // No line is lost or cut between the files that are kept.
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, i) => 1000 - numbers.length + i));
  expect(numbers.length).toBeGreaterThan(250);
});

test("what others append to the same file counts, and stands in the file that is set aside", () => {
  const path = join(folder, "shared.log");
  const file = new LogFile({ path, maxBytes: 1000, keep: 1 });
  file.write("ours\n");
  appendFileSync(path, `${"x".repeat(2000)}\n`);
  file.write("after\n");
  appendFileSync(path, "last words\n");
  file.close();
  expect(readFileSync(path, "utf8")).toBe("after\nlast words\n");
  expect(readFileSync(`${path}.1`, "utf8")).toContain("xxx");
});

test("a file that cannot be written any more throws nothing", () => {
  const path = join(folder, "closed.log");
  const file = new LogFile({ path, maxBytes: 1000, keep: 1 });
  file.close();
  expect(() => file.write("lost\n")).not.toThrow();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a line that is longer than the file may be is cut between two characters, and says so", () => {
  const path = join(folder, "long.log");
  const file = new LogFile({ path, maxBytes: 1000, keep: 1 });
  file.write(`${"é".repeat(5000)}\n`);
  file.close();
  const text = readFileSync(path, "utf8");
  expect(statSync(path).size).toBeLessThanOrEqual(1000);
  expect(text).toMatch(/^é{490,}…\n$/);
});

test("no line has more than 64 KiB", () => {
  const path = join(folder, "longer.log");
  const file = new LogFile({ path, maxBytes: 1 << 20, keep: 1 });
  file.write(`${"x".repeat(1 << 19)}\n`);
  file.write("after\n");
  file.close();
  const [first = "", second] = readFileSync(path, "utf8").split("\n");
  expect(Buffer.byteLength(first)).toBe((64 << 10) - 1);
  expect([first.at(-1), second]).toEqual(["…", "after"]);
});

test("a file that is there already is for this user alone from then on", () => {
  const path = join(folder, "open.log");
  appendFileSync(path, "");
  chmodSync(path, 0o644);
  new LogFile({ path, maxBytes: 1000, keep: 1 }).close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
});
