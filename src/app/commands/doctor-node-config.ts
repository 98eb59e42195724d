/** What `doctor --module` says of the node's own configuration: what in it keeps modules from being loaded, or from running. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parse, TomlError } from "smol-toml";
import { z } from "zod";
import { Fault } from "../../kernel/fault.ts";
import { tomlFault } from "../config/toml-fault.ts";
import { MODULE_NAME } from "../module/module-name.ts";
import type { Finding } from "./doctor-chains.ts";

/** `[modules]` and `[module_resource_limits]` of a `blvm.toml`, as far as they matter here. Source: blvm-node `src/config/mod.rs` 240-312, 553-634. */
export interface NodeConfig {
  /** Absolute. */
  readonly file: string;
  readonly enabled: boolean;
  readonly modulesDir: string;
  readonly dataDir: string;
  readonly socketDir: string;
  readonly disabled: readonly string[];
  /** Names that are loaded; empty for all. */
  readonly wanted: readonly string[];
  readonly registryUrl: string;
  readonly limits: { readonly memoryBytes: number; readonly childProcesses: number; readonly fileDescriptors: number };
}

const schema = z.object({
  modules: z
    .looseObject({
      enabled: z.boolean().default(true),
      modules_dir: z.string().default("modules"),
      data_dir: z.string().default("data/modules"),
      socket_dir: z.string().default("data/modules/sockets"),
      disabled_modules: z.array(z.string()).default([]),
      enabled_modules: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).default([]),
      registry_url: z.string().default("(the node's default)"),
    })
    .prefault({}),
  module_resource_limits: z
    .looseObject({
      default_max_memory_bytes: z.number().default(536_870_912),
      default_max_child_processes: z.number().default(10),
      default_max_file_descriptors: z.number().default(256),
    })
    .prefault({}),
});

/** Reads it. Throws `Fault` `config-unreadable` or `config-not-toml`, and `config-invalid` for values that the node would not take either. */
export function readNodeConfig(path: string): NodeConfig {
  const file = resolve(path);
  let raw: unknown;
  try {
    raw = parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw cause instanceof TomlError ? tomlFault(file, cause) : new Fault("config-unreadable", { file }, { cause });
  }
  const result = schema.safeParse(raw);
  if (!result.success) throw new Fault("config-invalid", { file }, { cause: new Error(z.prettifyError(result.error)) });
  const { modules, module_resource_limits: limits } = result.data;
  const { enabled_modules: wanted } = modules;
  return {
    file,
    enabled: modules.enabled,
    modulesDir: modules.modules_dir,
    dataDir: modules.data_dir,
    socketDir: modules.socket_dir,
    disabled: modules.disabled_modules,
    wanted: Array.isArray(wanted) ? wanted : Object.keys(wanted),
    registryUrl: modules.registry_url,
    limits: {
      memoryBytes: limits.default_max_memory_bytes,
      childProcesses: limits.default_max_child_processes,
      fileDescriptors: limits.default_max_file_descriptors,
    },
  };
}

const CHECK = "node configuration";

/** Address space with which V8's compiler runs, and without which nothing does; tasks and files that the module needs (the launcher has the same numbers). */
const JIT_BYTES = 1400 * 1_048_576;
const LEAST_BYTES = 384 * 1_048_576;
const TASKS = 18;
const FILES = 240;
/** Tasks of a node and a module together, roughly: the limit counts all of the user's. */
const COMFORTABLE_TASKS = 512;
const COMFORTABLE_FILES = 1024;

const LIMITS =
  "In blvm.toml, [module_resource_limits]: default_max_memory_bytes = 2147483648, default_max_child_processes = 4096, default_max_file_descriptors = 8192; then restart the node.";

/** Findings; nothing without a configuration. */
export function checkNodeConfig(config: NodeConfig | undefined): Finding[] {
  if (config === undefined) return [];
  const { file, enabled, disabled, wanted, registryUrl, limits } = config;
  const findings: Finding[] = [];
  const failed = (detail: string, fix: string): void =>
    void findings.push({ check: CHECK, result: "failed", detail, fix });
  const warning = (detail: string, fix: string): void =>
    void findings.push({ check: CHECK, result: "warning", detail, fix });
  if (!enabled) failed("[modules] enabled is false: the node loads none", `Set it to true in ${file}.`);
  if (disabled.includes(MODULE_NAME)) {
    failed(`disabled_modules has ${MODULE_NAME}`, `Take it out of the list in ${file}.`);
  }
  if (wanted.length > 0 && !wanted.includes(MODULE_NAME)) {
    warning(`enabled_modules has others and not ${MODULE_NAME}`, `Add ${MODULE_NAME} to it in ${file}.`);
  }
  if (limits.memoryBytes < LEAST_BYTES) {
    failed(`${mib(limits.memoryBytes)} MiB of address space: Node.js does not start`, LIMITS);
  } else if (limits.memoryBytes < JIT_BYTES) {
    warning(`${mib(limits.memoryBytes)} MiB of address space: the module runs without V8's compiler, slowly`, LIMITS);
  }
  if (limits.childProcesses < TASKS) {
    failed(
      `${limits.childProcesses} child processes, which counts all threads of the node's user: Node.js does not start unless that is root`,
      LIMITS,
    );
  } else if (limits.childProcesses < COMFORTABLE_TASKS) {
    warning(
      `${limits.childProcesses} child processes, which counts all threads of the node's user, the node's own too`,
      LIMITS,
    );
  }
  if (limits.fileDescriptors < FILES) failed(`${limits.fileDescriptors} files: the module does not start`, LIMITS);
  else if (limits.fileDescriptors < COMFORTABLE_FILES) {
    warning(
      `${limits.fileDescriptors} files: no more than ${limits.fileDescriptors - 48} miners can be connected`,
      LIMITS,
    );
  }
  if (registryUrl !== "") {
    const fix = `Where the node has no way to the internet, set registry_url = "" under [modules] in ${file}.`;
    findings.push({
      check: CHECK,
      result: "ok",
      detail: `the node asks its registry before it loads a module, up to a minute each. ${fix}`,
    });
  }
  return findings.some(({ result }) => result !== "ok")
    ? findings
    : [{ check: CHECK, result: "ok", detail: `${file} loads ${MODULE_NAME} and leaves it room` }, ...findings];
}

function mib(bytes: number): number {
  return Math.floor(bytes / 1_048_576);
}
