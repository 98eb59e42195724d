/** The whole node of the published crate on regtest, in a process of its own (`test/interop/blvm-node/src/bin/regtest_node.rs`). */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type Program, run } from "../../support/program.ts";
import { until } from "../../support/until.ts";
import { freePort } from "./translator.ts";

/** Who may ask by RPC. */
export const RPC_USER = "interop";
export const RPC_PASSWORD = "loopback-only";
/** It waits 10 s for peers before it makes its socket, and starts modules behind that. */
const START_MS = 40_000;

const answerSchema = z.object({
  result: z.unknown().optional(),
  error: z.object({ code: z.number(), message: z.string() }).optional(),
});

/** A running node. */
export class BlvmRegtestNode {
  /** Folder with `modules`, `data` and `sockets`. */
  readonly folder: string;
  readonly socket: string;
  readonly rpcUrl: string;
  readonly #program: Program;

  private constructor(program: Program, folder: string, rpcPort: number) {
    this.#program = program;
    this.folder = folder;
    this.socket = join(folder, "sockets", "node.sock");
    this.rpcUrl = `http://127.0.0.1:${rpcPort}/`;
  }

  /** Starts a node that loads the modules which `install` puts into the folder it is given. */
  static async start(
    binary: string,
    module: string,
    install: (modules: string) => void | Promise<void>,
  ): Promise<BlvmRegtestNode> {
    const folder = mkdtempSync(join(tmpdir(), "blvm-"));
    for (const name of ["modules", "data", "sockets", "chain"]) mkdirSync(join(folder, name));
    await install(join(folder, "modules"));
    const [p2p, rpc] = [await freePort(), await freePort()];
    const config = join(folder, "blvm.toml");
    writeFileSync(config, configuration(folder, module, p2p));
    const args = [config, join(folder, "chain"), `127.0.0.1:${p2p}`, `127.0.0.1:${rpc}`];
    // It would wait 30 s for a peer that is ahead.
    const program = run("env", ["BLVM_IBD_PEER_HEIGHT_WAIT_MS=0", binary, ...args], { cwd: folder });
    const node = new BlvmRegtestNode(program, folder, rpc);
    const isLoaded = (): boolean => node.log.some((line) => line.includes("Auto-loaded 1 modules"));
    await until("the node loaded its module", isLoaded, START_MS).catch((error) => {
      throw new Error(`${error.message}:\n${node.log.slice(-20).join("\n")}`);
    });
    return node;
  }

  get log(): readonly string[] {
    return this.#program.err;
  }

  /** The result of a JSON-RPC call; rejects with the node's message. */
  async call(method: string, params: readonly unknown[] = []): Promise<unknown> {
    const response = await fetch(this.rpcUrl, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        authorization: `Basic ${Buffer.from(`${RPC_USER}:${RPC_PASSWORD}`).toString("base64")}`,
      },
      body: JSON.stringify({ jsonrpc: "1.0", id: 1, method, params }),
    });
    const text = await response.text();
    const { data } = answerSchema.safeParse(JSON.parse(text));
    if (data === undefined || data.error !== undefined) throw new Error(`${method}: ${response.status} ${text}`);
    return data.result;
  }

  /** Asks it to end, as an operator does. Resolves when it is gone, by force after `withinMs`. */
  async stop(withinMs = 10_000): Promise<"ended" | "killed"> {
    this.#program.kill("SIGTERM");
    const timer = setTimeout(() => this.#program.kill("SIGKILL"), withinMs);
    const code = await this.#program.ended;
    clearTimeout(timer);
    return code === 0 ? "ended" : "killed";
  }

  remove(): void {
    this.#program.kill("SIGKILL");
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Loopback only, no registry, and limits under which Node.js can live. */
function configuration(folder: string, module: string, p2pPort: number): string {
  const path = (name: string): string => JSON.stringify(join(folder, name));
  return `listen_addr = "127.0.0.1:${p2pPort}"
protocol_version = "Regtest"
transport_preference = "tcponly"
enable_self_advertisement = false

[rpc_auth]
required = true
username = "${RPC_USER}"
password = "${RPC_PASSWORD}"
rate_limit_burst = 10000
rate_limit_rate = 1000

[rpc]
max_connections_per_ip_per_minute = 10000

[storage]
database_backend = "sled"
data_dir = ${path("chain")}

[modules]
enabled = true
modules_dir = ${path("modules")}
data_dir = ${path("data")}
socket_dir = ${path("sockets")}
registry_url = ""
enabled_modules = ["${module}"]

[module_resource_limits]
default_max_memory_bytes = 2147483648
default_max_child_processes = 4096
default_max_file_descriptors = 8192
`;
}
