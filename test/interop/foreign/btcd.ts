/**
 * btcd on regtest, a Bitcoin node that shares no code with Bitcoin Core, as judge of our blocks. Our program asks it through
 * a dialect on another port that says in Core's words what btcd says in its own; blocks go through it as they are.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { systemClock } from "../../../src/app/system.ts";
import { headerHash } from "../../../src/bitcoin/header.ts";
import { diskFiles } from "../../../src/daemon/files.ts";
import { nodeHttpPost } from "../../../src/daemon/http.ts";
import { RpcClient } from "../../../src/daemon/rpc.ts";
import { fromHex, toDisplayHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { type Program, run } from "../../support/program.ts";
import { PAYOUT_ADDRESS } from "./pool.ts";
import { freePort } from "./translator.ts";

const USER = "judge";
const PASSWORD = "loopback-only";
/** What the witness commitment's hash is announced by (BIP141); btcd's template gives the hash alone. */
const COMMITMENT_HEADER = "6a24aa21a9ed";

/** What is asked in the dialect, and how it is answered; everything else is passed on. */
type Answer = (node: Btcd, params: readonly unknown[]) => Promise<unknown>;
const DIALECT: Readonly<Record<string, Answer>> = {
  getnetworkinfo: async () => ({ version: 260200, subversion: "/btcd:0.26.2/", connections: 0 }),
  async getblockheader(node, params) {
    const { mediantime } = z.object({ mediantime: z.number() }).parse(await node.call("getblockchaininfo"));
    return { ...(await node.object("getblockheader", ...params)), mediantime };
  },
  async getblocktemplate(node, params) {
    const template = await node.object("getblocktemplate", ...params);
    const commitment = template.default_witness_commitment;
    if (commitment === undefined) return template;
    return { ...template, default_witness_commitment: `${COMMITMENT_HEADER}${commitment}` };
  },
  // btcd answers null to a block beside its chain too, and to one without a parent; it shows headers of its chain only.
  async submitblock(node, params) {
    const answer = await node.call("submitblock", ...params);
    if (answer !== null) return answer;
    return node.call("getblockheader", blockHash(String(params[0]))).then(
      () => null,
      () => "inconclusive",
    );
  },
};

/** A node of its own folder and ports. */
export class Btcd {
  readonly #process: Program;
  readonly #folder: string;
  readonly #rpc: RpcClient;
  readonly #dialect: Server;

  private constructor(process: Program, folder: string, rpc: RpcClient, dialect: Server) {
    this.#process = process;
    this.#folder = folder;
    this.#rpc = rpc;
    this.#dialect = dialect;
  }

  /** Starts it; resolves when it answers. Its own mining pays `PAYOUT_ADDRESS`. */
  static async start(binary: string): Promise<Btcd> {
    const folder = mkdtempSync(join(tmpdir(), "interop-btcd-"));
    const port = await freePort();
    const process = run(binary, [
      "--regtest",
      "--notls",
      `--rpclisten=127.0.0.1:${port}`,
      `--rpcuser=${USER}`,
      `--rpcpass=${PASSWORD}`,
      "--nolisten",
      "--nodnsseed",
      `--datadir=${folder}`,
      `--logdir=${join(folder, "logs")}`,
      `--configfile=${join(folder, "none.conf")}`,
      `--miningaddr=${PAYOUT_ADDRESS}`,
    ]);
    const rpc = new RpcClient(
      { clock: systemClock, files: diskFiles, http: nodeHttpPost },
      {
        name: "btcd",
        url: `http://127.0.0.1:${port}`,
        credentials: { kind: "password", user: USER, password: PASSWORD },
        timeoutMs: 30_000,
      },
    );
    const dialect = createServer();
    await new Promise<void>((resolve) => void dialect.listen(0, "127.0.0.1", resolve));
    const node = new Btcd(process, folder, rpc, dialect);
    dialect.on("request", (request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        void node.#answer(Buffer.concat(parts).toString()).then((answer) => {
          response.setHeader("content-type", "application/json");
          response.end(JSON.stringify(answer));
        });
      });
    });
    for (let tries = 0; ; tries++) {
      try {
        await node.call("getblockcount");
        return node;
      } catch (error) {
        if (tries < 300 && error instanceof Fault && error.code === "node-refused") {
          await new Promise((resolve) => setTimeout(resolve, 100));
          continue;
        }
        const said = process.out.slice(-5).join("\n");
        await node.stop();
        throw new Error(`btcd does not answer; it said:\n${said}`, { cause: error });
      }
    }
  }

  /** Where our program finds it: lines of `[[bitcoind]]`. */
  get config(): string {
    const { port } = this.#dialect.address() as AddressInfo;
    return `url = "http://127.0.0.1:${port}"\nuser = "${USER}"\npassword = "${PASSWORD}"\n`;
  }

  /** Calls any method of btcd itself. */
  async call(method: string, ...params: readonly unknown[]): Promise<unknown> {
    return await this.#rpc.call(method, params, z.unknown(), { maxBytes: 1 << 26 });
  }

  /** Calls a method whose result is an object. */
  async object(method: string, ...params: readonly unknown[]): Promise<Record<string, unknown>> {
    return z.record(z.string(), z.unknown()).parse(await this.call(method, ...params));
  }

  /** Height of the best block. */
  async height(): Promise<number> {
    return z.number().parse(await this.call("getblockcount"));
  }

  /** Ends it. */
  async stop(): Promise<void> {
    this.#dialect.closeAllConnections();
    await new Promise((resolve) => this.#dialect.close(resolve));
    this.#rpc.close();
    this.#process.kill("SIGTERM");
    await this.#process.ended;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async #answer(text: string): Promise<unknown> {
    const { id, method, params } = z
      .object({ id: z.unknown(), method: z.string(), params: z.array(z.unknown()).default([]) })
      .parse(JSON.parse(text));
    try {
      const result = await (DIALECT[method]?.(this, params) ?? this.call(method, ...params));
      return { jsonrpc: "2.0", id, result };
    } catch (error) {
      const { code, data } = error instanceof Fault ? error : { code: "", data: {} as Record<string, unknown> };
      const rpcCode = Number(data.rpcCode ?? (code === "node-method-unknown" ? -32601 : -1));
      return { jsonrpc: "2.0", id, error: { code: rpcCode, message: String(data.says ?? error) } };
    }
  }
}

/** Hash of a block in hex, display order. */
function blockHash(block: string): string {
  return toDisplayHex(headerHash(fromHex(block.slice(0, 160))));
}
