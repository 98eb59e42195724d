/**
 * A rehearsal for chains that are merge-mined by AuxPoW: a pretend daemon with Namecoin's `createauxblock` family, which looks at
 * every proof as a real one does. What differs between daemons is an option, as in the driver's profiles, but told apart from
 * them: here stands what the daemon does, there what the driver makes of it.
 */
import { sha256d } from "../bitcoin/hash.ts";
import { targetFromCompact } from "../bitcoin/target.ts";
import { fromHex, reversed, toHex, utf8 } from "../kernel/bytes.ts";
import { verifyAuxPow } from "../merge/auxpow/verify.ts";
import type { BlockStatus } from "../merge/plugin.ts";
import type { Answer, Rehearsal, Serving, Stage } from "./rehearsal.ts";
import { RpcRefusal, RpcStage, type RpcTable } from "./rpc-stage.ts";

/** What the pretend daemon is like. */
export interface AuxPowRehearsalOptions {
  /** Its AuxPoW chain ID. */
  readonly chainId: number;
  readonly strictChainId: boolean;
  /** Keys of the chain's table besides `daemons` and `poll_s`, e.g. `payout`. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Tables with mistakes, beside those that every AuxPoW chain refuses. */
  readonly badConfigs?: readonly unknown[];
  /** The addresses that it takes; any when left out. */
  readonly takes?: (address: unknown) => boolean;
  /** `createauxblock` and `submitauxblock`, also under the name `getauxblock`; or parameters by name, with all that Elastos.ELA does otherwise. */
  readonly style?: "namecoin" | "elastos";
  /** Whether it tells the tip and what the block pays along with the work. True when left out. */
  readonly tellsTip?: boolean;
  /** What it answers to an accepted proof; `true` when left out. */
  readonly success?: true | null;
  /** The script that the parent's coinbase must hold for work at `height`, and the key under which it is told. */
  readonly output?: { readonly key: string; readonly script: (height: number) => Uint8Array };
  /** Blocks after which a reward can be spent; 100 when left out. */
  readonly maturity?: number;
}

const BITS = 0x207fffff;
const FIRST_HEIGHT = 200;
const REWARD_COINS = 12.5;
const USER = "kit";
const PASSWORD = "rehearsed-password-Zq8";
/** How long a `waitfornewblock` waits at most, ms. */
const MAX_WAIT_MS = 1000;

/** A rehearsal of such a chain. */
export function auxPowRehearsal(options: AuxPowRehearsalOptions): Rehearsal {
  const open = async (): Promise<Stage> => {
    const chain = new PretendAuxPowChain(options);
    const login = { user: USER, password: PASSWORD };
    const errors = options.style === "elastos" ? "plain" : "bitcoin";
    return new AuxPowStage(chain, await RpcStage.open(chain.table, { login, errors }), options);
  };
  if (options.style === "elastos") return { open };
  return { open, without: { duplicate: "namecoind and its relatives answer true to a proof that they have already" } };
}

/** The chain and what its daemon answers. */
class PretendAuxPowChain {
  readonly #options: AuxPowRehearsalOptions;
  readonly #templates = new Map<string, { readonly height: number }>();
  readonly #known = new Map<string, { readonly state: BlockStatus["state"]; confirmations: number; height: number }>();
  #height = FIRST_HEIGHT;
  #current: string | undefined;
  #waiting: (() => void)[] = [];
  /** How submissions are answered. */
  answer: Answer = "accept";
  /** Whether there is work. */
  hasWork = true;

  constructor(options: AuxPowRehearsalOptions) {
    this.#options = options;
  }

  /** Its methods. */
  get table(): RpcTable {
    const waitfornewblock = (): Promise<unknown> => this.#wait();
    if (this.#options.style === "elastos") {
      return {
        createauxblock: ({ paytoaddress }) => this.#create(paytoaddress),
        submitauxblock: ({ blockhash, auxpow }) => this.#submit(blockhash, auxpow),
        getblockcount: () => this.#height + 1,
        getbestblockhash: () => this.#printed(this.#tip),
        getmininginfo: () => ({ blocks: this.#height + 1, chain: "regnet" }),
        getblock: ({ blockhash, verbosity }) => this.#block(blockhash, verbosity),
        getblockhash: ({ height }) => this.#hashAt(height),
      };
    }
    return {
      createauxblock: ([address]) => this.#create(address),
      submitauxblock: ([hash, auxpow]) => this.#submit(hash, auxpow),
      getauxblock: (params) => (params.length === 0 ? this.#create("") : this.#submit(params[0], params[1])),
      getblockcount: () => this.#height,
      getbestblockhash: () => this.#tip,
      getblockchaininfo: () => ({ chain: "regtest", blocks: this.#height, initialblockdownload: false }),
      waitfornewblock,
      getblockheader: ([hash]) => this.#header(hash),
      getblock: ([hash, verbosity]) => this.#block(hash, verbosity),
    };
  }

  /** The chain's next block, somebody else's. */
  newBlock(): void {
    this.#height += 1;
    this.#current = undefined;
    this.#templates.clear();
    for (const wake of this.#waiting.splice(0)) wake();
  }

  /** What is said of the block `id` from now on. */
  place(id: string, state: BlockStatus["state"], confirmations: number): void {
    this.#known.set(this.#printed(id), { state, confirmations, height: FIRST_HEIGHT + 1 });
  }

  get #tip(): string {
    return hashOf(`tip ${this.#height}`);
  }

  /** A hash as the other calls print it. */
  #printed(hash: string): string {
    return this.#options.style === "elastos" ? toHex(reversed(fromHex(hash))) : hash;
  }

  #wait(): Promise<unknown> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        resolve({ hash: this.#tip, height: this.#height });
      };
      const timer = setTimeout(done, MAX_WAIT_MS);
      timer.unref();
      this.#waiting.push(done);
    });
  }

  #create(address: unknown): unknown {
    const options = this.#options;
    if (!this.hasWork) throw new RpcRefusal(-10, "The daemon is downloading blocks...");
    if (options.takes?.(address) === false) throw new RpcRefusal(-5, "Error: Invalid coinbase payout address");
    const height = this.#height + 1;
    this.#current ??= hashOf(`work ${height}`);
    this.#templates.set(this.#current, { height });
    const bits = BITS.toString(16);
    const known = { hash: this.#current, chainid: options.chainId, bits };
    if (options.tellsTip === false) return { ...known, target: `${"00".repeat(29)}ffff7f` };
    const output = options.output === undefined ? {} : { [options.output.key]: toHex(options.output.script(height)) };
    const isElastos = options.style === "elastos";
    return {
      ...known,
      previousblockhash: this.#tip,
      coinbasevalue: REWARD_COINS * 1e8,
      height: isElastos ? height - 1 : height,
      ...(isElastos ? {} : { _target: `${"00".repeat(29)}ffff7f` }),
      ...output,
    };
  }

  #submit(hash: unknown, auxpow: unknown): unknown {
    const refuse = (words: string): never => {
      throw this.#options.style === "elastos"
        ? new RpcRefusal(45002, "adding block failed")
        : new RpcRefusal(-8, words);
    };
    if (typeof hash !== "string" || !/^[0-9a-f]{64}$/.test(hash)) return refuse("invalid block hash hex");
    if (this.answer === "stale" && this.#options.style === "elastos") this.newBlock();
    const template = this.#templates.get(hash);
    if (this.answer === "stale" || template === undefined) return refuse("block hash unknown");
    if (this.answer === "duplicate") {
      this.#known.set(this.#printed(hash), { state: "confirmed", confirmations: 1, height: template.height });
      return refuse("duplicate");
    }
    const isGood = this.answer === "accept" && this.#isProof(hash, String(auxpow), template.height);
    if (!isGood) return this.#options.style === "elastos" ? refuse("") : false;
    return this.#options.success === null ? null : true;
  }

  #isProof(hash: string, auxpow: string, height: number): boolean {
    const { chainId, strictChainId, output } = this.#options;
    if (!/^([0-9a-f]{2})+$/.test(auxpow)) return false;
    if (output !== undefined && !auxpow.includes(toHex(output.script(height)))) return false;
    const target = targetFromCompact(BITS);
    const claim = { auxpow: fromHex(auxpow), hash: fromHex(hash), chainId, strictChainId, target, everywhere: true };
    return verifyAuxPow(claim) === undefined;
  }

  #placeOf(hash: unknown): { readonly state: BlockStatus["state"]; confirmations: number; height: number } {
    const known = this.#known.get(String(hash));
    if (known !== undefined && known.state !== "unknown") return known;
    throw this.#options.style === "elastos" ? new RpcRefusal(44003, "") : new RpcRefusal(-5, "Block not found");
  }

  #header(hash: unknown): unknown {
    const { state, confirmations, height } = this.#placeOf(hash);
    return { hash, height, confirmations: state === "orphaned" ? -1 : confirmations };
  }

  #block(hash: unknown, verbosity: unknown): unknown {
    const { state, confirmations, height } = this.#placeOf(hash);
    const isElastos = this.#options.style === "elastos";
    const ours = { value: isElastos ? REWARD_COINS.toFixed(8) : REWARD_COINS, n: 0 };
    const vout = isElastos ? [{ value: "21.42857143", n: 0 }, ours] : [ours, { value: 0, n: 1 }];
    const coinbase = { txid: hashOf(`coinbase of ${String(hash)}`), vout };
    return {
      hash,
      height,
      // Elastos.ELA counts from the height, in its best chain or not.
      confirmations: state === "orphaned" && !isElastos ? -1 : Math.max(1, confirmations),
      tx: [verbosity === 2 ? coinbase : coinbase.txid],
    };
  }

  #hashAt(height: unknown): unknown {
    for (const [hash, place] of this.#known) {
      if (place.height === height && place.state !== "orphaned" && place.state !== "unknown") return hash;
    }
    return hashOf(`another block at ${String(height)}`);
  }
}

/** The chain under the kit's control. */
class AuxPowStage implements Stage {
  readonly config: unknown;
  readonly badConfigs: readonly unknown[];
  readonly secrets = [PASSWORD];
  readonly #chain: PretendAuxPowChain;
  readonly #rpc: RpcStage;
  readonly #maturity: number;
  #solved: string | undefined;

  constructor(chain: PretendAuxPowChain, rpc: RpcStage, options: AuxPowRehearsalOptions) {
    this.#chain = chain;
    this.#rpc = rpc;
    this.#maturity = options.maturity ?? 100;
    const daemon = { name: "rehearsed", url: rpc.url, user: USER, password: PASSWORD, rpc_timeout_s: 0.5 };
    const config = { ...options.config, poll_s: 0.2, daemons: [daemon] };
    this.config = config;
    this.badConfigs = [
      { ...config, daemons: [] },
      { ...config, daemons: undefined },
      { ...config, daemons: [{ ...daemon, url: "ftp://127.0.0.1" }] },
      { ...config, daemons: [{ ...daemon, url: undefined }] },
      { ...config, daemons: [{ ...daemon, cookie_file: ".cookie" }] },
      { ...config, daemons: [{ ...daemon, zmq_hashblock: "127.0.0.1:28332" }] },
      { ...config, daemons: [daemon, daemon] },
      { ...config, poll_s: "often" },
      { ...config, payout: "" },
      ...(options.badConfigs ?? []).map((bad) => ({ ...config, ...(bad as object) })),
    ];
  }

  async newBlock(): Promise<void> {
    this.#chain.newBlock();
  }

  async answer(next: Answer): Promise<void> {
    if (next === "down") return await this.#rpc.down();
    this.#chain.answer = next;
    const misbehaves = next === "hang" || next === "garbage";
    this.#rpc.treat(["submitauxblock"], misbehaves ? next : "serve");
    await this.#rpc.up();
  }

  async serve(next: Serving): Promise<void> {
    this.#chain.hasWork = next !== "none";
    const misbehaves = next === "hang" || next === "garbage";
    this.#rpc.treat(["createauxblock", "getauxblock"], misbehaves ? next : "serve");
  }

  solve({ work }: { readonly work: { readonly id: string } }): void {
    this.#solved = work.id;
  }

  chain(state: BlockStatus["state"], confirmations: number): void {
    const shown = state === "mature" ? Math.max(confirmations, this.#maturity) : confirmations;
    if (this.#solved !== undefined) this.#chain.place(this.#solved, state, shown);
  }

  close(): Promise<void> {
    return this.#rpc.close();
  }
}

/** A hash in display hex that `text` alone decides. */
function hashOf(text: string): string {
  return toHex(reversed(sha256d(utf8(text))));
}
