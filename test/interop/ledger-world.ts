/**
 * The built program on an embedded Bitcoin node and a real namecoind with its wallet, and miners whose every share on fresh work is a Namecoin
 * block. What the ledger says is asked through its commands, what is true is asked of the daemon.
 */
import { expect, onTestFinished } from "vitest";
import { z } from "zod";
import { BusyMiner } from "../support/busy-miner.ts";
import { MergeWorld } from "../support/merge-world.ts";
import { program } from "../support/program.ts";
import { pause } from "../support/until.ts";
import { NamecoinWallet } from "./namecoin-wallet.ts";

/** A block as `blocks --json` tells it. */
export interface ToldBlock {
  readonly blockHash: string;
  readonly state: string;
  readonly height: number;
  readonly actual: string | null;
  readonly expected: string | null;
}

/** A block of ours as the daemon tells it. */
export interface RealBlock {
  readonly hash: string;
  /** The first output of its coinbase, base units. */
  readonly reward: bigint;
  readonly transactions: number;
}

const block = z.object({
  hash: z.string(),
  tx: z.array(
    z.object({
      vout: z.array(z.object({ value: z.number(), scriptPubKey: z.object({ address: z.string().optional() }) })),
    }),
  ),
  previousblockhash: z.string().optional(),
});
const told = z.object({
  blocks: z.array(
    z.object({
      blockHash: z.string(),
      state: z.string(),
      height: z.number(),
      actual: z.string().nullish(),
      expected: z.string().nullish(),
    }),
  ),
});
const histories = z.object({
  histories: z.tuple([
    z.object({
      events: z.array(z.object({ state: z.string() })),
      splits: z.array(z.object({ kind: z.string() })),
    }),
  ]),
});
const worker = z.object({
  worker: z.string(),
  earned: z.string(),
  reversed: z.string(),
  paid: z.string(),
  owed: z.string(),
});

/** Base units of a daemon's amount. */
function unitsOfCoins(coins: number): bigint {
  return BigInt(Math.round(coins * 1e8));
}

/** Somebody of no wallet here: what is his makes the wallets write nothing. */
export const SOMEBODY = "mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ";

/** One pool. */
export class LedgerWorld {
  readonly daemon: NamecoinWallet;
  readonly world: MergeWorld;
  /** The wallet `pool` owns it, and nothing but our blocks pays to it. */
  readonly payout: string;
  /** The commons' address in the configuration, of the wallet `payees`. */
  readonly commons: string;

  private constructor(
    daemon: NamecoinWallet,
    world: MergeWorld,
    addresses: Readonly<Record<"payout" | "commons", string>>,
  ) {
    this.daemon = daemon;
    this.world = world;
    this.payout = addresses.payout;
    this.commons = addresses.commons;
  }

  /** A daemon with coins in its wallet, and the program on it; all ends with the test. `keys` go into `[rewards.namecoin]`. */
  static async open(binary: string, keys: string): Promise<LedgerWorld> {
    const daemon = await NamecoinWallet.start(binary);
    onTestFinished(() => daemon.remove());
    for (const wallet of ["pool", "payees"]) await daemon.call("", "createwallet", wallet);
    const payout = await daemon.address("pool");
    const commons = await daemon.address("payees");
    await daemon.mine(130, await daemon.address("pool"));
    const world = await MergeWorld.open({
      more: `[ledger]
flush_s = 0.3
follow_s = 0.5
[stratum_v2.merge_mining_fee]
enabled = true
commons_address = "${commons}"
contributor_id = "interop"
auto_distribute = true
`,
    });
    const url = `http://127.0.0.1:${daemon.port}`;
    world.write(`[chains.namecoin]
payout = "${payout}"
[[chains.namecoin.daemons]]
url = "${url}"
user = "user"
password = "password"
[rewards.namecoin]
wallet_url = "${url}"
wallet = "pool"
wallet_user = "user"
wallet_password = "password"
${keys}
`);
    await world.start();
    await world.mined("namecoin");
    return new LedgerWorld(daemon, world, { payout, commons });
  }

  /** Miners by these identities, until `stop`. */
  async mine(identities: readonly string[]): Promise<{ stop(): Promise<void>; accepted(): number[] }> {
    const miners: BusyMiner[] = [];
    for (const userIdentity of identities) {
      miners.push(
        await BusyMiner.start(await this.world.miner(), {
          kind: "extended",
          userIdentity,
          pauseMs: 100 * identities.length,
        }),
      );
    }
    return {
      accepted: () => miners.map(({ accepted }) => accepted),
      stop: async () => {
        for (const miner of miners) {
          await miner.stop();
          miner.check();
          miner.miner.destroy();
        }
      },
    };
  }

  /** Blocks in the daemon's best chain that pay to us, oldest first. */
  async ours(): Promise<RealBlock[]> {
    const found: RealBlock[] = [];
    let name: unknown = await this.daemon.call("", "getbestblockhash");
    for (;;) {
      const { hash, tx, previousblockhash } = block.parse(await this.daemon.call("", "getblock", name, 2));
      const [first] = tx[0]?.vout ?? [];
      if (first?.scriptPubKey.address === this.payout) {
        found.unshift({ hash, reward: unitsOfCoins(first.value), transactions: tx.length });
      }
      if (previousblockhash === undefined) return found;
      name = previousblockhash;
    }
  }

  /** A command beside the running server. */
  async command(...args: readonly string[]): Promise<{ code: number; out: string; err: string }> {
    const running = program([...args, "-c", this.world.config], { cwd: this.world.folder });
    return { code: await running.ended, out: running.out.join("\n"), err: running.err.join("\n") };
  }

  /** As `command`; expects that it succeeds. */
  async done(...args: readonly string[]): Promise<string> {
    const { code, out, err } = await this.command(...args);
    expect(`${args.join(" ")}: ${code} ${code === 0 ? "" : err}`).toBe(`${args.join(" ")}: 0 `);
    return out;
  }

  /** What the ledger says of its Namecoin blocks, newest first. */
  async blocks(): Promise<ToldBlock[]> {
    const { blocks } = told.parse(
      JSON.parse(await this.done("blocks", "--chain", "namecoin", "--json", "--limit", "1000")),
    );
    return blocks.map((each) => ({ ...each, actual: each.actual ?? null, expected: each.expected ?? null }));
  }

  /** What `blocks HASH` says happened to a block: its states, and what the books did with its reward, oldest first. */
  async history(hash: string): Promise<{ states: string[]; books: string[] }> {
    const [history] = histories.parse(JSON.parse(await this.done("blocks", hash, "--json"))).histories;
    return { states: history.events.map(({ state }) => state), books: history.splits.map(({ kind }) => kind) };
  }

  /** Resolves with the blocks as soon as `ready` says so. */
  async until(
    what: string,
    ready: (blocks: readonly ToldBlock[]) => boolean,
    timeoutMs = 60_000,
  ): Promise<ToldBlock[]> {
    const deadline = performance.now() + timeoutMs;
    for (;;) {
      const blocks = await this.blocks();
      if (ready(blocks)) return blocks;
      if (performance.now() > deadline) {
        const states = blocks.map(({ height, state }) => `${height} ${state}`).join(", ");
        throw new Error(`waited in vain until ${what}: ${states}\n${this.world.server.err.slice(-15).join("\n")}`);
      }
      await pause(500);
    }
  }

  /** Resolves once the daemon's chain holds so many blocks of ours. */
  async mined(blocks: number, timeoutMs = 90_000): Promise<void> {
    const deadline = performance.now() + timeoutMs;
    while ((await this.ours()).length < blocks) {
      if (performance.now() > deadline) throw new Error(`there are not ${blocks} blocks of ours`);
      await pause(300);
    }
  }

  /** `rewards` of every worker, by identity, in base units. */
  async rewards(): Promise<Map<string, { earned: bigint; reversed: bigint; paid: bigint; owed: bigint }>> {
    const out = await this.done("rewards", "--chain", "namecoin", "--workers", "--json");
    const { workers } = z.object({ workers: z.array(worker) }).parse(JSON.parse(out));
    return new Map(
      workers.map(({ worker: name, ...amounts }) => [
        name,
        {
          earned: BigInt(amounts.earned),
          reversed: BigInt(amounts.reversed),
          paid: BigInt(amounts.paid),
          owed: BigInt(amounts.owed),
        },
      ]),
    );
  }

  /** What `rewards --worker` says that a worker is owed. */
  async owed(identity: string): Promise<bigint> {
    const out = await this.done("rewards", "--chain", "namecoin", "--worker", identity, "--json");
    const { workers } = z.object({ workers: z.array(worker) }).parse(JSON.parse(out));
    return BigInt(workers[0]?.owed ?? "0");
  }

  /** What confirmed transactions paid to an address of the wallet `payees`, base units. */
  async received(address: string): Promise<bigint> {
    return unitsOfCoins(Number(await this.daemon.call("payees", "getreceivedbyaddress", address, 1)));
  }
}
