/**
 * A namecoind of our own on regtest with its wallet, on loopback and free ports (NAMECOIND names the binary), and a proxy before it that holds
 * calls up, so that a program can be killed in the middle of one.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, request, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { freePort } from "./regtest-node.ts";

const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The daemon. */
export class NamecoinWallet {
  readonly port: number;
  readonly #binary: string;
  readonly #folder = mkdtempSync(join(tmpdir(), "namecoin-wallet-"));
  #child: ChildProcess | undefined;

  private constructor(binary: string, port: number) {
    this.#binary = binary;
    this.port = port;
  }

  /** Starts it and resolves when it answers. */
  static async start(binary: string): Promise<NamecoinWallet> {
    const wallet = new NamecoinWallet(binary, await freePort());
    await wallet.#run([]);
    return wallet;
  }

  /** Ends it with -9. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Starts it again after `kill`, with these wallets open, and resolves when it has its chain of `blocks` back, which it makes anew from its files. */
  async restart(wallets: readonly string[], blocks: number): Promise<void> {
    await this.#run(["-reindex", ...wallets.map((name) => `-wallet=${name}`)]);
    for (let tries = 0; Number(await this.call("", "getblockcount")) < blocks; tries++) {
      if (tries > 300) throw new Error(`the daemon did not find its ${blocks} blocks again`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async #run(more: readonly string[]): Promise<void> {
    const args = [
      "-regtest",
      `-datadir=${this.#folder}`,
      `-rpcport=${this.port}`,
      "-rpcuser=user",
      "-rpcpassword=password",
      "-rpcbind=127.0.0.1",
      "-rpcallowip=127.0.0.1",
      "-listen=0",
      "-connect=0",
      "-fallbackfee=0.0001",
      "-printtoconsole=0",
      ...more,
    ];
    const child = spawn(this.#binary, args, { stdio: "ignore" });
    this.#child = child;
    running.add(child);
    child.once("exit", () => running.delete(child));
    for (let tries = 0; ; tries++) {
      try {
        await this.call("", "getblockcount");
        return;
      } catch (error) {
        if (tries > 300) throw error;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  /** Calls a method of the wallet `name`, or of the node with an empty name. */
  async call(name: string, method: string, ...params: readonly unknown[]): Promise<unknown> {
    const path = name === "" ? "" : `/wallet/${name}`;
    const rpc = new RpcClient(
      { clock: systemClock, files: diskFiles, http: nodeHttpPost },
      {
        url: `http://127.0.0.1:${this.port}${path}`,
        credentials: { kind: "password", user: "user", password: "password" },
        timeoutMs: 60_000,
      },
    );
    try {
      return await rpc.call(method, params, z.unknown(), { maxBytes: 16 << 20 });
    } finally {
      rpc.close();
    }
  }

  /** A new address of a wallet. */
  async address(name: string): Promise<string> {
    return z.string().parse(await this.call(name, "getnewaddress"));
  }

  /** Blocks that pay to an address. */
  async mine(blocks: number, address: string): Promise<void> {
    // A busy disk makes many of them longer than a call may take.
    for (let left = blocks; left > 0; left -= 20) {
      await this.call("", "generatetoaddress", Math.min(20, left), address);
    }
  }

  /** Stops it and removes its folder. */
  async remove(): Promise<void> {
    await this.#end("SIGTERM");
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise((resolve) => child.once("exit", resolve));
    child.kill(signal);
    await gone;
  }
}

/** A proxy before a daemon. */
export interface HoldingProxy {
  readonly port: number;
  /** The next call of `method` is never answered; with `after` it reaches the daemon all the same. Resolves when it came. */
  holdUp(method: string, when: "before" | "after"): Promise<void>;
  close(): void;
}

/** Starts a proxy. */
export async function holdingProxy(port: number): Promise<HoldingProxy> {
  let held: { method: string; when: "before" | "after"; came: () => void } | undefined;
  const open = new Set<ServerResponse>();
  const server = createServer(async (incoming, outgoing) => {
    open.add(outgoing);
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const { method } = JSON.parse(body.toString()) as { readonly method: string };
    const hold = held?.method === method ? held : undefined;
    if (hold !== undefined) held = undefined;
    if (hold?.when === "before") return hold.came();
    const options = { port, host: "127.0.0.1", path: incoming.url, method: "POST", headers: incoming.headers };
    const onward = request(options, (answer) => {
      if (hold !== undefined) {
        answer.resume().on("end", hold.came);
        return;
      }
      outgoing.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on("error", () => outgoing.destroy());
    onward.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    holdUp: (method, when) =>
      new Promise((resolve) => {
        held = { method, when, came: resolve };
      }),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
