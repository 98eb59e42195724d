/** Looking for plugins on a real disk, with what lies around on real disks. */
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { diskPlugins } from "../../src/host/plugin-files.ts";

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "bllvm-stratum-v2-plugin-files-"));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test("folders and links to folders are found; files, and links that lead nowhere or in a circle, are none", async () => {
  const path = folder();
  mkdirSync(join(path, "b"));
  writeFileSync(join(path, "file"), "");
  symlinkSync(join(path, "b"), join(path, "a"));
  symlinkSync(join(path, "file"), join(path, "to-a-file"));
  symlinkSync(join(path, "nowhere"), join(path, "to-nothing"));
  symlinkSync(join(path, "circle"), join(path, "circle"));
  expect(await diskPlugins.folders(path)).toEqual(["a", "b"]);
  expect(await diskPlugins.folders(join(path, "nowhere"))).toBeUndefined();
});

test("a package.json that is none, without end or too long is refused, and is waited for by nobody", async () => {
  const path = folder();
  execFileSync("mkfifo", [join(path, "pipe")]);
  mkdirSync(join(path, "folder"));
  writeFileSync(join(path, "long"), Buffer.alloc((1 << 20) + 1, " "));
  await expect(diskPlugins.text(join(path, "pipe"))).rejects.toThrow("pipe is not a file");
  await expect(diskPlugins.text(join(path, "folder"))).rejects.toThrow("folder is not a file");
  await expect(diskPlugins.text("/dev/zero")).rejects.toThrow("/dev/zero is not a file");
  await expect(diskPlugins.text(join(path, "long"))).rejects.toThrow("1048577 bytes");
  expect(await diskPlugins.text(join(path, "nowhere"))).toBeUndefined();
});
