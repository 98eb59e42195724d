/**
 * A Bitcoin Core of our own on regtest, on loopback and free ports. The binary is named by the environment variable
 * BITCOIND or found on the PATH; tests that need it skip loudly without.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** Path of the binary, `undefined` when there is none. */
export function findBitcoind(): string | undefined {
  const named = process.env.BITCOIND;
  if (named !== undefined) return named;
  try {
    return execFileSync("sh", ["-c", "command -v bitcoind"], { encoding: "utf8" }).trim() || undefined;
  } catch {
    return undefined;
  }
}

/** A free port on loopback. */
export async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** One regtest node. */
export class RegtestNode {
  readonly name: string;
  readonly rpcPort: number;
  readonly p2pPort: number;
  readonly zmqPort: number;
  readonly folder: string;
  readonly rpc: RpcClient;
  readonly #binary: string;
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;

  private constructor(binary: string, name: string, ports: readonly [number, number, number], args: readonly string[]) {
    this.name = name;
    this.#binary = binary;
    this.#args = args;
    [this.rpcPort, this.p2pPort, this.zmqPort] = ports;
    this.folder = mkdtempSync(join(tmpdir(), `regtest-${name}-`));
    this.rpc = this.client();
  }

  /** A node that is not running yet. `args` are added to bitcoind's. */
  static async create(binary: string, name: string, args: readonly string[] = []): Promise<RegtestNode> {
    return new RegtestNode(binary, name, [await freePort(), await freePort(), await freePort()], args);
  }

  get url(): string {
    return `http://127.0.0.1:${this.rpcPort}`;
  }

  get zmqAddress(): string {
    return `tcp://127.0.0.1:${this.zmqPort}`;
  }

  /** The cookie that bitcoind writes at each start. */
  get cookie(): string {
    return join(this.folder, "regtest", ".cookie");
  }

  /** Another client, by cookie. */
  client(name = this.name): RpcClient {
    return new RpcClient(
      { clock: systemClock, files: diskFiles, http: nodeHttpPost },
      { name, url: this.url, credentials: { kind: "cookie", path: this.cookie }, timeoutMs: 30_000 },
    );
  }

  /** Starts it and resolves when it answers. */
  async start(): Promise<void> {
    const args = [
      "-regtest",
      `-datadir=${this.folder}`,
      "-server",
      "-fallbackfee=0.0001",
      "-rpcbind=127.0.0.1",
      "-rpcallowip=127.0.0.1",
      `-rpcport=${this.rpcPort}`,
      "-listen=1",
      `-bind=127.0.0.1:${this.p2pPort}`,
      "-connect=0",
      "-dnsseed=0",
      "-fixedseeds=0",
      "-listenonion=0",
      "-discover=0",
      "-natpmp=0",
      "-printtoconsole=0",
      `-zmqpubhashblock=tcp://127.0.0.1:${this.zmqPort}`,
      ...this.#args,
    ];
    const child = spawn(this.#binary, args, { stdio: "ignore" });
    this.#process = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    for (let tries = 0; ; tries++) {
      try {
        await this.call("getblockcount");
        return;
      } catch (error) {
        if (tries > 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Ends it as `signal` does and resolves when it is gone. */
  async stop(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
    const running = this.#process;
    this.#process = undefined;
    if (running === undefined || running.exitCode !== null) return;
    const gone = new Promise((resolve) => running.once("exit", resolve));
    running.kill(signal);
    await gone;
  }

  /** The process id while it runs. */
  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Stops it and removes its folder. */
  async remove(): Promise<void> {
    this.rpc.close();
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Calls any method. */
  async call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    return await this.rpc.call(method, params, z.unknown());
  }

  /** Lets the node mine by itself, to a script that anybody can spend. */
  async generate(blocks: number): Promise<string[]> {
    return z.array(z.string()).parse(await this.call("generatetodescriptor", blocks, "raw(51)"));
  }
}
