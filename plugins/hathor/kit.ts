/** A pretend Hathor node for the kit: it takes blocks apart as hathor-core does, and says as little as that about what is wrong. */
import {
  type Answer,
  HttpStage,
  type Misbehaviour,
  type Rehearsal,
  type Serving,
  type Stage,
  type StageAnswer,
  type StageRequest,
} from "bllvm-stratum-v2/kit";
import { type BlockStatus, fromHex, type Proof } from "bllvm-stratum-v2/plugin";
import { parseAuxPow, verifyAuxPow } from "./aux-pow.ts";
import { baseHash, parseBlock, targetOf } from "./block.ts";

const ADDRESS = "HPjmDFnUesHJXqFJh1qMD1KikbPZYfwaFF";
const SCRIPT = Buffer.from("76a914bcdddee6f042c73ff4b947bc9bca929fbd4fa98588ac", "hex").toString("base64");
const PASSWORD = "only-the-proxy-before-hathor-knows";
const MATURITY = 20;

const name = (height: number): string => `${"b".repeat(56)}${height.toString(16).padStart(8, "0")}`;

class PretendNode implements Stage {
  readonly secrets: readonly string[] = [PASSWORD];
  readonly #http = new HttpStage({ handle: (request) => this.#handle(request) });
  #tip = 6_000_000;
  /** Times of templates differ, so each answer is another block. */
  #time = 1_700_000_000;
  #answer: Answer = "accept";
  #serving: Serving = "work";
  #solved: { readonly height: number; state: BlockStatus["state"] } | undefined;

  async open(): Promise<this> {
    await this.#http.up();
    return this;
  }

  get config() {
    const login = { user: "pool", password: PASSWORD };
    return {
      ...login,
      urls: [`${this.#http.url}v1a`],
      address: ADDRESS,
      push: false,
      poll_s: 0.2,
      timeout_s: 1,
      maturity: MATURITY,
    };
  }

  get badConfigs(): readonly unknown[] {
    const { config } = this;
    const { urls, ...rest } = config;
    return [
      {},
      rest,
      { ...config, urls: [] },
      { ...config, urls: ["127.0.0.1:8080"] },
      { ...config, urls: [`http://pool:${PASSWORD}@127.0.0.1:8080/v1a`] },
      { ...config, address: "JDdpurxFekFpVfqiEWbozSFaR5q47fUus" },
      { ...config, address: `${ADDRESS}1` },
      { ...config, poll_s: 0 },
      { ...config, url: urls[0] },
    ];
  }

  async newBlock(): Promise<void> {
    this.#tip += 1;
  }

  async answer(next: Answer): Promise<void> {
    this.#answer = next;
    if (next === "down") return await this.#http.down();
    if (next === "stale") this.#tip += 1;
    await this.#http.up();
  }

  async serve(next: Serving): Promise<void> {
    this.#serving = next;
  }

  solve(proof: Proof): void {
    this.#solved = { height: proof.work.height, state: "confirmed" };
  }

  chain(state: BlockStatus["state"], confirmations: number): void {
    if (this.#solved === undefined) return;
    this.#solved.state = state;
    this.#tip =
      this.#solved.height + (state === "mature" ? Math.max(confirmations, MATURITY) : Math.max(0, confirmations - 1));
  }

  async close(): Promise<void> {
    await this.#http.close();
  }

  #handle({ path, headers, body }: StageRequest): StageAnswer | Misbehaviour {
    const wanted = `Basic ${Buffer.from(`pool:${PASSWORD}`, "utf8").toString("base64")}`;
    if (headers.authorization !== wanted) return { status: 401, body: "" };
    if (path === "/v1a/get_block_template") return this.#template();
    if (path === "/v1a/submit_block") return this.#submit(body);
    if (path === "/v1a/getmininginfo") return { body: { success: true, blocks: this.#tip } };
    return path === "/v1a/transaction" ? { body: this.#transaction() } : { status: 404, body: "" };
  }

  #template(): StageAnswer | Misbehaviour {
    if (this.#serving === "none") return { status: 503, body: { error: "Node syncing" } };
    if (this.#serving !== "work") return this.#serving;
    this.#time += 1;
    const template = {
      timestamp: this.#time,
      version: 3,
      weight: 1.5,
      signal_bits: 0,
      parents: [name(this.#tip), "1".repeat(64), "2".repeat(64)],
      outputs: [{ value: 800, token_data: 0, script: SCRIPT }],
      tokens: [],
      data: "",
      metadata: { hash: null, height: this.#tip + 1, voided_by: [] },
    };
    return { body: template };
  }

  #submit(body: string): StageAnswer | Misbehaviour {
    if (this.#answer === "hang" || this.#answer === "garbage") return this.#answer;
    const block = parseBlock(fromHex(JSON.parse(body).hexdata));
    const isOnTip = block.parents[0] === name(this.#tip);
    const claim = { hash: baseHash(block), target: targetOf(block.weight), maxMerklePath: 20 };
    const flaw = verifyAuxPow(parseAuxPow(block.auxPow), claim);
    return { body: { result: this.#answer === "accept" && isOnTip && flaw === undefined } };
  }

  #transaction(): object {
    const state = this.#answer === "duplicate" ? "confirmed" : (this.#solved?.state ?? "unknown");
    if (state === "unknown") return { success: false, message: "Transaction not found" };
    return {
      success: true,
      tx: { height: this.#solved?.height ?? this.#tip, outputs: [{ value: 800 }] },
      meta: { voided_by: state === "orphaned" ? ["3".repeat(64)] : [] },
    };
  }
}

/** The rehearsal. */
export const rehearsal: Rehearsal = { open: () => new PretendNode().open() };
