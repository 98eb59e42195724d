/**
 * What `doctor --module` says of the life as a module of the bllvm node: why it is not loaded, why there are no jobs. It looks at files, at the node's JSON-RPC
 * and at the running module, and never at the node's IPC socket: the node serves one connection at a time, and one that is closed while it waits ends the
 * node's IPC for all modules.
 */
import { existsSync, lstatSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import { parse } from "smol-toml";
import { z } from "zod";
import { describe, Fault } from "../../kernel/fault.ts";
import { OPERATIONS } from "../../node/bllvm/client/operations.ts";
import type { LoadedConfig } from "../config/load.ts";
import { askServer } from "../control-client.ts";
import { adviceOf } from "../failure.ts";
import { checkInstallation } from "../module/install/check.ts";
import { MANIFEST_FILE } from "../module/install/layout.ts";
import { MODULE_NAME } from "../module/module-name.ts";
import { rpcClient } from "../parts.ts";
import { bllvmRpcOf, parseHostPort } from "../settings.ts";
import type { ServerStatus } from "../status.ts";
import { isPoolAlone } from "../upstream-settings.ts";
import type { Finding } from "./doctor-chains.ts";
import { checkNodeConfig, type NodeConfig } from "./doctor-node-config.ts";
import { complaintsIn } from "./module-complaints.ts";

/** Where to look. All paths are absolute. */
export interface ModuleTarget {
  readonly loaded: LoadedConfig;
  /** The node's folder of modules; `undefined` for a module that is only attached. */
  readonly modulesDir: string | undefined;
  /** `<data_dir>/<name>` of the node. */
  readonly dataDir: string | undefined;
  /** The node's IPC socket. */
  readonly socketPath: string | undefined;
  /** The node's own configuration, and its log. */
  readonly nodeConfig: NodeConfig | undefined;
  readonly nodeLog: string | undefined;
}

/** What a request of ours is for, by the capability without which the node closes the connection at it. */
const LOST_WITHOUT: Readonly<Record<string, string>> = {
  read_blockchain: "nothing can be mined on the node's chain",
  read_chain_state: "nothing can be mined on the node's chain, for the tip cannot be asked for",
  subscribe_events: "new blocks are noticed by polling alone",
  publish_events: "jobs, shares and rewards are not published",
  queue_inbound_block: "found blocks go to the node by JSON-RPC alone",
  register_module_api: "other modules cannot call this one",
};

const ok = (check: string, detail: string): Finding => ({ check, result: "ok", detail });
const bad = (check: string, detail: string, fix: string): Finding => ({ check, result: "failed", detail, fix });
const odd = (check: string, detail: string, fix: string): Finding => ({ check, result: "warning", detail, fix });

/** The checks in the order of a module's life; each may throw. */
export function moduleChecks(target: ModuleTarget): readonly (readonly [string, () => Promise<Finding[]>])[] {
  return [
    ["node configuration", async () => checkNodeConfig(target.nodeConfig)],
    ["module folder", async () => checkFolder(target)],
    ["capabilities", async () => checkCapabilities(target)],
    ["node log", async () => checkNodeLog(target)],
    ["node socket", async () => checkSocket(target)],
    ["module", () => checkRunning(target)],
    ["node JSON-RPC", () => checkRpc(target)],
  ];
}

function checkFolder({ modulesDir }: ModuleTarget): Finding[] {
  if (modulesDir === undefined) return [];
  const name = MODULE_NAME;
  return checkInstallation({ modulesDir, name, folder: join(modulesDir, name) });
}

function checkCapabilities({ modulesDir }: ModuleTarget): Finding[] {
  if (modulesDir === undefined) return [];
  const file = join(modulesDir, MODULE_NAME, MANIFEST_FILE);
  if (!existsSync(file)) return [];
  const { capabilities } = z
    .object({ capabilities: z.array(z.string()).default([]) })
    .parse(parse(readFileSync(file, "utf8")));
  const has = new Set(capabilities.map((name) => name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()));
  const missing = Object.keys(LOST_WITHOUT).filter((name) => !has.has(name));
  if (missing.length === 0) return [ok("capabilities", "all that the module uses are in its manifest")];
  const fix = `Add ${missing.map((name) => `"${name}"`).join(", ")} to capabilities in ${file}, or run \`bllvm-stratum-v2 install-module\` again, and restart the node.`;
  const lost = missing.map((name) => `without ${name} ${LOST_WITHOUT[name]}`).join("; ");
  const isFatal = missing.some((name) => name.startsWith("read_"));
  return [isFatal ? bad("capabilities", lost, fix) : odd("capabilities", lost, fix)];
}

/** Lines of the node's log that name this module and tell of trouble, the last ones. */
function checkNodeLog({ nodeLog }: ModuleTarget): Finding[] {
  if (nodeLog === undefined) return [];
  const lines = complaintsIn(nodeLog, (line) => line.includes(MODULE_NAME));
  if (lines.length === 0) return [ok("node log", `${nodeLog} has no complaint about ${MODULE_NAME}`)];
  const fix =
    "The node says why. `Module binary not found`, a hash, a limit: the checks above name the same; otherwise docs/bllvm.md.";
  return lines.map((line) => odd("node log", line, fix));
}

function checkSocket({ socketPath }: ModuleTarget): Finding[] {
  if (socketPath === undefined) return [];
  let about: ReturnType<typeof lstatSync>;
  try {
    about = lstatSync(socketPath);
  } catch (error) {
    const fix = `Start the node, with [modules] enabled = true. Its socket is node.sock in modules.socket_dir of blvm.toml.`;
    return [bad("node socket", describe(error), fix)];
  }
  if (!about.isSocket()) return [bad("node socket", `${socketPath} is no socket`, "Name the node's node.sock.")];
  const uid = process.getuid?.();
  if (uid !== undefined && uid !== 0 && about.uid !== uid) {
    const fix =
      "The node opens its socket to its own user alone: run the module as that user (`User=` of the service).";
    return [bad("node socket", `${socketPath} belongs to user ${about.uid}, and this is user ${uid}`, fix)];
  }
  return [ok("node socket", socketPath)];
}

async function checkRunning(target: ModuleTarget): Promise<Finding[]> {
  const check = "module";
  const complaints = logComplaints(target);
  let status: ServerStatus;
  try {
    status = await askServer<ServerStatus>(target.loaded, "GET", "/v1/status");
  } catch (error) {
    const fix = `${complaints.length > 0 ? "module.log says why (below)" : "The node has not started it, or it ended at once: see the node's log"}; by hand: \`bllvm-stratum-v2 module --socket NODE_SOCK --data-dir DIR\`.`;
    return [bad(check, `it does not run: ${describe(error)}`, fix), ...complaints];
  }
  return [...linkFindings(status), ...workFindings(status), ...(await listenFindings(target)), ...complaints];
}

/** How the connection to the node stands. */
function linkFindings({ bllvm }: ServerStatus): Finding[] {
  const check = "node link";
  if (bllvm === undefined) {
    const fix = "Another server runs with this configuration: stop it, or give the module a data folder of its own.";
    return [bad(check, "what runs is no module of a bllvm node", fix)];
  }
  const { phase, nodeVersion, schema, trouble, unusable, events, forMs } = bllvm;
  const seconds = Math.round(forMs / 1000);
  const findings: Finding[] = [];
  if (phase === "up") {
    const heard = Object.entries(events).map(([name, count]) => `${name} ${count}`);
    findings.push(
      ok(
        check,
        `served by node ${nodeVersion} (wire ${schema}) for ${seconds} s; events: ${heard.join(", ") || "none yet"}`,
      ),
    );
  } else if (phase === "starving") {
    const fix =
      "The node serves one connection at a time, and its own heartbeat of a module that it started lasts for ever. Install with --registered and run the module as a service (docs/bllvm.md), or use a node that serves them side by side; with bllvm.rpc_url there is work meanwhile.";
    findings.push(odd(check, `connected and not served for ${seconds} s`, fix));
  } else {
    const fix =
      "Check that the node runs and that its socket is the one named above; docs/bllvm.md tells what keeps it from answering.";
    findings.push(odd(check, `${phase} for ${seconds} s${trouble === undefined ? "" : `: ${trouble}`}`, fix));
  }
  if (unusable.length > 0) {
    const lost = unusable.map((name) => {
      const { capability } = OPERATIONS[name as keyof typeof OPERATIONS] ?? { capability: "none" };
      return `${name}${capability === "none" ? "" : ` (needs ${capability})`}`;
    });
    const fix =
      "Let the node load the module from its modules folder with the capabilities of module.toml (`install-module --registered` beside a service), and restart both.";
    findings.push(odd("permissions", `the node refuses ${lost.join(", ")}`, fix));
  }
  return findings;
}

/** Whether there are jobs, and if not, why. */
function workFindings({ job, nodes, bllvm, uptimeMs }: ServerStatus): Finding[] {
  const check = "jobs";
  const findings: Finding[] = [];
  for (const { name, fault, warnings } of nodes) {
    if (fault !== undefined) findings.push(odd(`node ${name}`, fault.message, fault.help));
    for (const { message, help } of warnings) findings.push(odd(`node ${name}`, message, help));
  }
  const active = nodes.find((node) => node.active);
  if (job === undefined) {
    const fix =
      nodes.length === 0
        ? "Restart the module."
        : "See the nodes above: work begins as soon as one of them gives a template.";
    return [...findings, bad(check, "there is none: no node gives work", fix)];
  }
  findings.push(
    ok(check, `job ${job.id} at height ${job.height}, work from node ${active?.name ?? "none at present"}`),
  );
  const heard = Object.values(bllvm?.events ?? {}).reduce((sum, count) => sum + count, 0);
  if (bllvm?.phase === "up" && heard === 0 && uptimeMs > 3_600_000) {
    const fix = "Check the capability subscribe_events, and that the node's own chain grows.";
    findings.push(odd("node events", "none came for an hour: new blocks are noticed by polling alone", fix));
  }
  return findings;
}

/** Whether miners reach the address on which the module listens. */
function listenFindings({ loaded }: ModuleTarget): Promise<Finding[]> {
  const check = "listening address";
  const { host, port } = parseHostPort(loaded.config.stratum_v2.listen_addr);
  const to = host === "0.0.0.0" || host === "::" ? "localhost" : host;
  if (port === 0) return Promise.resolve([]);
  return new Promise((done) => {
    const socket = connect({ host: to, port, timeout: 5_000 });
    const end = (finding: Finding): void => {
      socket.destroy();
      done([finding]);
    };
    socket.on("connect", () => end(ok(check, `${to}:${port} takes connections`)));
    socket.on("timeout", () => end(bad(check, `${to}:${port} does not answer`, FIREWALL)));
    socket.on("error", (error) => end(bad(check, describe(error), FIREWALL)));
  });
}

const FIREWALL =
  "The module runs but does not listen where its configuration says: see module.log for a port that is taken, and any firewall on this machine.";

/** The last complaints of the module's own log, of its last run. */
function logComplaints({ dataDir }: ModuleTarget): Finding[] {
  if (dataDir === undefined) return [];
  const file = join(dataDir, "module.log");
  if (!existsSync(file)) return [];
  const fix = `Do what the line says; all of them are in ${file}.`;
  return complaintsIn(file, () => true).map((line) => odd("module.log", line, fix));
}

async function checkRpc({ loaded }: ModuleTarget): Promise<Finding[]> {
  const check = "node JSON-RPC";
  const settings = bllvmRpcOf(loaded);
  if (settings === undefined) {
    if (loaded.config.bitcoind.length > 0 || isPoolAlone(loaded.config)) return [];
    const fix =
      "Set bllvm.rpc_url (and user and password_file) to the node's own, or list a Bitcoin Core node under [[bitcoind]].";
    return [odd(check, "none is configured: blocks hold their coinbase alone, and go to the node by IPC alone", fix)];
  }
  const rpc = rpcClient(settings, loaded.config);
  try {
    const count = await rpc.call("getblockcount", [], z.int());
    return [ok(check, `${rpc.address} answers, at height ${count}`)];
  } catch (error) {
    const fix =
      error instanceof Fault && error.code === "node-unauthorized"
        ? "Give bllvm.user and bllvm.password_file as [rpc_auth] username and password of the node's blvm.toml."
        : error instanceof Fault
          ? adviceOf(error)
          : "Check bllvm.rpc_url.";
    return [bad(check, describe(error), fix)];
  } finally {
    rpc.close();
  }
}
