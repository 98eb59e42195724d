/**
 * A Stratum V1 miner: line-delimited JSON-RPC (stratum "slush" dialect), version rolling by BIP310. Enough to stand behind a
 * translator, with a CPU that hashes in slices so that everything else of the process goes on.
 */
import { connect, type Socket } from "node:net";
import { createInterface } from "node:readline";
import { sha256d } from "../../src/bitcoin/hash.ts";
import { HeaderHasher, serializeHeader } from "../../src/bitcoin/header.ts";
import { MAX_TARGET } from "../../src/bitcoin/target.ts";
import { concat, fromHex, toHex } from "../../src/kernel/bytes.ts";

/** A job of mining.notify as the wire has it. */
export interface Sv1Job {
  readonly jobId: string;
  /** The previous block's hash with the bytes of every 4-byte word reversed, hex. */
  readonly prevHash: string;
  readonly coinbase1: string;
  readonly coinbase2: string;
  readonly branches: readonly string[];
  readonly version: string;
  readonly nBits: string;
  readonly ntime: string;
  readonly clean: boolean;
}

/** Bits that the miner asks to roll (BIP320). */
const MASK = 0x1fffe000;
/** Difficulty 1 (SV1's is Bitcoin's "pdiff"). */
const DIFFICULTY_1 = 0xffffn << 208n;
/** A server that does not answer a call for so long never will, ms. */
const PATIENCE_MS = 60_000;
/** Hashes in one go, some milliseconds. */
const SLICE = 4_096;
const hex8 = (value: number): string => (value >>> 0).toString(16).padStart(8, "0");

/** One miner on one connection. */
export class Sv1Miner {
  readonly jobs: Sv1Job[] = [];
  /** Answers to mining.submit: `true`, or the error as the server put it. */
  readonly answers: unknown[] = [];
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  readonly #user: string;
  readonly #socket: Socket;
  readonly #waiting = new Map<number, (answer: { result?: unknown; error?: unknown }) => void>();
  #lastId = 0;
  #extranonce1 = "";
  #extranonce2Size = 0;
  #mask = 0;
  #difficulty = 1;
  #isClosed = false;
  #round = 0;

  private constructor(socket: Socket, user: string) {
    this.#socket = socket;
    this.#user = user;
    socket.on("error", () => undefined);
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        this.#isClosed = true;
        for (const answer of this.#waiting.values()) answer({ error: "the server closed the connection" });
        resolve();
      });
    });
    createInterface({ input: socket }).on("line", (line) => this.#receive(JSON.parse(line)));
  }

  /** Connects, configures version rolling unless told not to, subscribes and authorises. Rejects when the server says no. */
  static async connect(port: number, user: string, options: { readonly roll?: boolean } = {}): Promise<Sv1Miner> {
    const socket = connect({ host: "127.0.0.1", port, noDelay: true });
    const miner = new Sv1Miner(socket, user);
    await new Promise<void>((resolve, reject) => void socket.once("connect", resolve).once("error", reject));
    if (options.roll ?? true) {
      const wanted = { "version-rolling.mask": hex8(MASK), "version-rolling.min-bit-count": 2 };
      const granted = await miner.#call("mining.configure", [["version-rolling"], wanted]);
      miner.#mask = Number.parseInt((granted as Record<string, string>)["version-rolling.mask"] ?? "0", 16);
    }
    const [, extranonce1, size] = (await miner.#call("mining.subscribe", ["sv1-miner/1"])) as [unknown, string, number];
    miner.#extranonce1 = extranonce1;
    miner.#extranonce2Size = size;
    if ((await miner.#call("mining.authorize", [user, "x"])) !== true) throw new Error(`${user} may not mine`);
    return miner;
  }

  /** Shares that were accepted so far. */
  get accepted(): number {
    return this.answers.filter((answer) => answer === true).length;
  }

  /** What the others were refused with. */
  get refused(): unknown[] {
    return this.answers.filter((answer) => answer !== true);
  }

  /** Hashes until `done` says so or the connection is gone, the newest job each time. */
  async mineUntil(done: () => boolean): Promise<void> {
    while (!done() && !this.#isClosed) {
      this.#slice();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Closes the connection. */
  async close(): Promise<void> {
    this.#socket.end();
    await this.closed;
  }

  /** Hashes one header of the newest job with some nonces; each round has another extranonce2 and rolls a version bit. */
  #slice(): void {
    const job = this.jobs.at(-1);
    if (job === undefined) return;
    const extranonce2 = new Uint8Array(this.#extranonce2Size);
    new DataView(extranonce2.buffer).setUint32(extranonce2.length - 4, this.#round++);
    const middle = concat(fromHex(this.#extranonce1), extranonce2);
    let merkleRoot = sha256d(concat(fromHex(job.coinbase1), middle, fromHex(job.coinbase2)));
    for (const branch of job.branches) merkleRoot = sha256d(concat(merkleRoot, fromHex(branch)));
    const rolled = (this.#round << 13) & this.#mask;
    const version = ((Number.parseInt(job.version, 16) & ~this.#mask) | rolled) >>> 0;
    const prevHash = new Uint8Array(Buffer.from(job.prevHash, "hex").swap32());
    const [time, nBits] = [Number.parseInt(job.ntime, 16), Number.parseInt(job.nBits, 16)];
    const header = serializeHeader({ version, prevHash, merkleRoot, time, nBits, nonce: 0 });
    const nonce = new HeaderHasher(header).search(0, SLICE, this.#target());
    if (nonce === undefined) return;
    const share = [this.#user, job.jobId, toHex(extranonce2), job.ntime, hex8(nonce)];
    void this.#call("mining.submit", this.#mask === 0 ? share : [...share, hex8(rolled)]).then(
      (answer) => void this.answers.push(answer),
      (error: unknown) => void this.answers.push(error instanceof Error ? error.message : error),
    );
  }

  #target(): bigint {
    const target = (DIFFICULTY_1 * 10n ** 15n) / BigInt(Math.max(1, Math.round(this.#difficulty * 1e15)));
    return target < MAX_TARGET ? target : MAX_TARGET;
  }

  #call(method: string, params: readonly unknown[]): Promise<unknown> {
    const id = ++this.#lastId;
    this.#socket.write(`${JSON.stringify({ id, method, params })}\n`);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#waiting.get(id)?.({ error: "no answer" }), PATIENCE_MS);
      this.#waiting.set(id, ({ result, error }) => {
        clearTimeout(timer);
        this.#waiting.delete(id);
        if (error === null || error === undefined) resolve(result);
        else reject(new Error(`${method}: ${JSON.stringify(error)}`));
      });
    });
  }

  #receive(message: { id?: number; method?: string; params?: unknown[]; result?: unknown; error?: unknown }): void {
    const { method, params = [] } = message;
    if (method === undefined) this.#waiting.get(message.id ?? 0)?.(message);
    if (method === "mining.set_difficulty") this.#difficulty = Number(params[0]);
    if (method === "mining.set_version_mask") this.#mask = Number.parseInt(String(params[0]), 16);
    if (method === "mining.set_extranonce") [this.#extranonce1, this.#extranonce2Size] = params as [string, number];
    if (method !== "mining.notify") return;
    const [jobId, prevHash, coinbase1, coinbase2, branches, version, nBits, ntime, clean] = params as [
      string,
      string,
      string,
      string,
      string[],
      string,
      string,
      string,
      boolean,
    ];
    this.jobs.push({ jobId, prevHash, coinbase1, coinbase2, branches, version, nBits, ntime, clean });
  }
}
