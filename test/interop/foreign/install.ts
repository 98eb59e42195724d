/**
 * Brings the pinned foreign programs onto this machine by name from their registries, once: they are kept in a folder
 * outside of the checkout (INTEROP_CACHE, else the user's cache folder; `npm ci` empties node_modules). Where a toolchain is
 * missing or a build fails, that is said aloud and the program's tests are skipped.
 */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ROOT } from "../../support/sources.ts";
import { runBuild, say } from "./build-run.ts";
import { CARGO, CARGO_ENVIRONMENT, type ForeignProgram, PROGRAMS, type Tool, type Toolchain } from "./pins.ts";

/** All builds of one test run together may take so long, ms: the run has to end. */
const ALL_BUILDS_MS = 9 * 60_000;
const APT_LIMIT_MS = 120_000;

/** The program's path; `undefined` after saying aloud why its tests are skipped. */
export async function foreign(program: ForeignProgram): Promise<string | undefined> {
  const binary = join(cacheFolder(), `${program.name}-${program.version}`, "bin", program.name);
  if (existsSync(binary)) return binary;
  const trouble = await install(program, binary);
  if (trouble === undefined) return binary;
  skipped(`${program.name} ${program.version} (${program.what})`, trouble);
  return undefined;
}

/**
 * Builds a crate of our own in `folder` and gives the path of its program `name`; `undefined` after saying aloud why its
 * tests are skipped. Cargo knows by itself what is up to date.
 */
export async function ownCrate(name: string, folder: string, limitS: number): Promise<string | undefined> {
  const target = join(cacheFolder(), `${name}-target`);
  const binary = join(target, "debug", name);
  const trouble = forbidden(binary) ?? unfit(CARGO, []) ?? (await build());
  if (trouble === undefined) return binary;
  skipped(name, trouble);
  return undefined;

  async function build(): Promise<string | undefined> {
    const limitMs = Math.min(limitS * 1000, timeLeftMs());
    if (!existsSync(target)) say(`building ${name} with cargo, ${limitS} s at most`);
    const env = { ...CARGO_ENVIRONMENT, CARGO_TARGET_DIR: target };
    const result = await runBuild(name, { command: "cargo", args: ["build", "--locked"], env }, limitMs, folder);
    if (result.ok) say(`${name} is built (${result.seconds} s)`);
    return result.ok ? undefined : result.reason;
  }
}

/** Where programs and half-done builds are kept. */
export function cacheFolder(): string {
  const { INTEROP_CACHE, XDG_CACHE_HOME } = process.env;
  if (INTEROP_CACHE !== undefined) return INTEROP_CACHE;
  const home = join(XDG_CACHE_HOME ?? join(homedir(), ".cache"), "bllvm-stratum-v2", "interop");
  return isWritable(home) ? home : join(ROOT, "node_modules", ".cache", "interop");
}

function isWritable(folder: string): boolean {
  try {
    mkdirSync(folder, { recursive: true });
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a reader of the log must not overlook. */
function skipped(what: string, why: string): void {
  console.warn(`SKIPPED: the tests with ${what}, because it could not be installed: ${why}`);
}

/** Installs a program so that it is there whole or not at all. Returns what kept it from it. */
async function install(program: ForeignProgram, binary: string): Promise<string | undefined> {
  const { name, version, toolchain, tools, usualS, limitS } = program;
  const limitMs = Math.min(limitS * 1000, timeLeftMs());
  if (limitMs <= 0) return `the builds of this run have taken ${ALL_BUILDS_MS / 60_000} minutes already; run it again`;
  const trouble = forbidden(binary) ?? unfit(toolchain, tools) ?? (await bringTools(tools));
  if (trouble !== undefined) return trouble;

  const cache = cacheFolder();
  const root = join(cache, `${name}-${version}`);
  const partial = `${root}.${process.pid}`;
  const scratch = join(cache, `${toolchain.command}-target`);
  mkdirSync(partial, { recursive: true });
  say(`installing ${name} ${version} with ${toolchain.command} into ${cache}: about ${usualS} s, once`);
  const result = await runBuild(name, program.build({ root: partial, scratch }), limitMs);
  if (result.ok && !existsSync(binary)) renameSync(partial, root);
  rmSync(partial, { recursive: true, force: true });
  if (!result.ok) return result.reason;
  say(`${name} ${version} is installed (${result.seconds} s)`);
  const others = PROGRAMS.filter((other) => other.toolchain === toolchain);
  const done = others.every((other) => existsSync(join(cache, `${other.name}-${other.version}`)));
  if (done) rmSync(scratch, { recursive: true, force: true });
  return undefined;
}

/** INTEROP_INSTALL=no: what is not there is done without. */
function forbidden(binary: string): string | undefined {
  return process.env.INTEROP_INSTALL === "no" && !existsSync(binary) ? "INTEROP_INSTALL=no forbids it" : undefined;
}

/** INTEROP_STARTED is set by vitest.config.ts for all test files of one run. */
function timeLeftMs(): number {
  return Number(process.env.INTEROP_STARTED ?? Date.now()) + ALL_BUILDS_MS - Date.now();
}

/** Why a build cannot even begin. */
function unfit(toolchain: Toolchain, tools: readonly Tool[]): string | undefined {
  const { command, versionArgs, oldest, advice } = toolchain;
  const said = output(command, versionArgs);
  if (said === undefined) return `${command} is not on the PATH; ${advice}`;
  const [major = 0, minor = 0] = (/(\d+)\.(\d+)/.exec(said) ?? []).slice(1).map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldest.split(".").map(Number);
  if (major < oldestMajor || (major === oldestMajor && minor < oldestMinor)) {
    return `it needs ${command} ${oldest} or newer, this is ${said.trim()}; ${advice}`;
  }
  for (const tool of tools) {
    if (isOnPath(tool.command) || (process.getuid?.() === 0 && isOnPath("apt-get"))) continue;
    return `its build calls ${tool.command}, which is not on the PATH; as root: apt-get install ${tool.packages.join(" ")}`;
  }
  return undefined;
}

/** Debian's packages of the tools that are missing. */
async function bringTools(tools: readonly Tool[]): Promise<string | undefined> {
  const packages = tools.filter(({ command }) => !isOnPath(command)).flatMap((tool) => tool.packages);
  if (packages.length === 0) return undefined;
  const apt = (...args: readonly string[]) =>
    runBuild("apt-get", { command: "apt-get", args, env: { DEBIAN_FRONTEND: "noninteractive" } }, APT_LIMIT_MS);
  const installPackages = () => apt("install", "-y", "--no-install-recommends", ...packages);
  say(`installing ${packages.join(" ")} with apt-get`);
  let result = await installPackages();
  // A fresh container has no list of packages.
  if (!result.ok && (await apt("update")).ok) result = await installPackages();
  return result.ok
    ? undefined
    : `its build needs ${packages.join(" ")}, which apt-get did not install: ${result.reason}`;
}

function isOnPath(command: string): boolean {
  return output("sh", ["-c", `command -v ${command}`]) !== undefined;
}

/** Standard output of a command; `undefined` when there is no such command or it fails. */
function output(command: string, args: readonly string[]): string | undefined {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}
