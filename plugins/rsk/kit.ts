/** A pretend rskj for the kit: it checks what it gets as rskj does and answers in its words. */
import {
  type Answer,
  type Rehearsal,
  RpcRefusal,
  RpcStage,
  type RpcTable,
  type Serving,
  type Stage,
} from "bllvm-stratum-v2/kit";
import { type BlockStatus, fromHex, type Proof, toHex, utf8, verifyRsk } from "bllvm-stratum-v2/plugin";

const SUBMIT = "mnr_submitBitcoinBlockPartialMerkle";
const PASSWORD = "only-the-proxy-before-rskj-knows";
const MATURITY = 10;
const TARGET = 2n ** 256n / 3n;
const MINER = `0x${"ab".repeat(20)}`;

/** `0x` and 64 digits that name a block, or a work, of a height. */
const name = (kind: string, height: number): string => `0x${kind.repeat(56)}${height.toString(16).padStart(8, "0")}`;
const quantity = (number: number): string => `0x${number.toString(16)}`;

class PretendNode implements Stage {
  readonly secrets: readonly string[] = [PASSWORD];
  readonly #rpc: RpcStage;
  #tip = 6_000_000;
  #answer: Answer = "accept";
  #serving: Serving = "work";
  /** The block that was accepted, and what is said of it. */
  #solved: { readonly height: number; state: BlockStatus["state"] } | undefined;

  constructor() {
    this.#rpc = new RpcStage(this.#table(), { errors: "plain", login: { user: "pool", password: PASSWORD } });
  }

  async open(): Promise<this> {
    await this.#rpc.up();
    return this;
  }

  get config() {
    return {
      daemons: [{ url: this.#rpc.url, user: "pool", password: PASSWORD, rpc_timeout_s: 1 }],
      poll_s: 0.2,
      maturity: MATURITY,
    };
  }

  get badConfigs(): readonly unknown[] {
    const [daemon] = this.config.daemons;
    return [
      {},
      { daemons: [] },
      { daemons: [{ ...daemon, url: "127.0.0.1" }] },
      { daemons: [{ ...daemon, ws: "http://127.0.0.1:4445" }] },
      { daemons: [{ ...daemon, zmq_hashblock: "tcp://127.0.0.1:5555" }] },
      { daemons: [daemon], poll: 2 },
      { daemons: [daemon], poll_s: 0 },
      { daemons: [daemon], maturity: 0 },
    ];
  }

  async newBlock(): Promise<void> {
    this.#tip += 1;
  }

  async answer(next: Answer): Promise<void> {
    this.#answer = next;
    if (next === "down") return await this.#rpc.down();
    this.#rpc.treat([SUBMIT], next === "hang" || next === "garbage" ? next : "serve");
    await this.#rpc.up();
  }

  async serve(next: Serving): Promise<void> {
    this.#serving = next;
    this.#rpc.treat(["mnr_getWork"], next === "hang" || next === "garbage" ? next : "serve");
  }

  solve(proof: Proof): void {
    this.#solved = { height: proof.work.height, state: "confirmed" };
  }

  chain(state: BlockStatus["state"], confirmations: number): void {
    if (this.#solved === undefined) return;
    this.#solved.state = state;
    const behind = { confirmed: confirmations - 1, mature: Math.max(confirmations, MATURITY), unknown: -1 };
    this.#tip = this.#solved.height + (state in behind ? behind[state as keyof typeof behind] : 5);
  }

  async close(): Promise<void> {
    await this.#rpc.close();
  }

  #table(): RpcTable {
    return {
      mnr_getWork: () =>
        this.#serving === "none"
          ? null
          : {
              blockHashForMergedMining: name("c", this.#tip + 1),
              target: `0x${TARGET.toString(16).padStart(64, "0")}`,
              feesPaidToMiner: "123000000000000",
              notify: false,
              parentBlockHash: name("b", this.#tip),
            },
      [SUBMIT]: (params) => this.#submit(params as readonly string[]),
      eth_blockNumber: () => quantity(this.#tip),
      eth_getBlockByHash: ([hash]) => this.#block(Number.parseInt(String(hash).slice(-8), 16)),
      eth_getBlockByNumber: ([number]) => this.#block(Number(number)),
      eth_getUncleByBlockNumberAndIndex: ([number]) => this.#ourBlock(Number(number) - 1),
      eth_getTransactionReceipt: () => null,
    };
  }

  #submit([, header = "", coinbase = "", hashes = "", count = ""]: readonly string[]): unknown {
    const tag = coinbase.lastIndexOf(toHex(utf8("RSKBLOCK:"))) + 18;
    const hash = coinbase.slice(tag, tag + 64);
    const height = Number.parseInt(hash.slice(-8), 16);
    if (this.#answer === "stale" || name("c", height) !== `0x${hash}`) {
      throw new RpcRefusal(-33000, `Cannot publish block, could not find hash 0x${hash} in the cache`);
    }
    const [, ...branch] = hashes.split(" ").map(fromHex);
    const claim = { header: fromHex(header), coinbase: fromHex(coinbase), merkleBranch: branch };
    const flaw = verifyRsk({ ...claim, hash: fromHex(hash), target: TARGET });
    if (this.#answer === "reject" || flaw !== undefined || !/^[0-9a-f]+$/.test(count)) {
      throw new RpcRefusal(
        -33000,
        `Invalid block supplied by miner: ${hash.slice(0, 10)} at height ${height} ${flaw ?? ""}`,
      );
    }
    const result = this.#answer === "duplicate" ? "EXIST" : "IMPORTED_BEST";
    return {
      blockImportedResult: `0x${toHex(utf8(result))}`,
      blockHash: name("d", height),
      blockIncludedHeight: quantity(height),
    };
  }

  #block(number: number) {
    if (number < 0 || number > this.#tip) return null;
    const isIn = this.#solved?.state === "confirmed" || this.#solved?.state === "mature";
    const uncles = this.#solved?.state === "uncle" && this.#solved.height === number - 1 ? [name("d", number - 1)] : [];
    const block = { number: quantity(number), hash: name("b", number), miner: MINER, transactions: ["0x01"], uncles };
    return isIn && this.#solved?.height === number ? { ...block, ...this.#ourBlock(number) } : block;
  }

  #ourBlock(number: number) {
    return { number: quantity(number), hash: name("d", number), miner: MINER, hashForMergedMining: name("c", number) };
  }
}

/** The rehearsal. */
export const rehearsal: Rehearsal = { open: () => new PretendNode().open() };
