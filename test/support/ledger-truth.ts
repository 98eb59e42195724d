/** What the chains themselves say of our blocks, to compare a ledger with: read from the embedded daemons, past all code that follows blocks. */
import { join } from "node:path";
import { systemClock } from "../../src/app/system.ts";
import type { NamecoinDaemon } from "../../src/devnet/namecoin/daemon.ts";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import type { RskDaemon } from "../../src/devnet/rsk/daemon.ts";
import { paymentsOf } from "../../src/devnet/rsk/remasc.ts";
import { toDisplayHex, toHex } from "../../src/kernel/bytes.ts";
import { ledgerAddress, openLedger } from "../../src/ledger/store/address.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import { SQLITE_CHILD } from "./ledger-files.ts";
import type { MergeWorld } from "./merge-world.ts";
import { pause } from "./until.ts";

/** A block of ours that its chain has, and what it pays us, base units. */
export interface OwnBlock {
  readonly hash: string;
  readonly reward: bigint;
}

/** The embedded daemons of a world. */
export interface WorldDaemons {
  readonly node: DevnetNode;
  readonly namecoin: NamecoinDaemon;
  readonly rsk: RskDaemon;
}

/** BIP173's example key: what `MergeWorld` is paid to. */
const POOL_SCRIPT = "0014751e76e8199196d454941c45d1b3a323f1433bd6";

/** Blocks until REMASC pays on regtest, and what worlds of the ledger configure. */
export const RSK_MATURITY = 10;

/** States that nothing follows, but for reorgs deeper than maturity. */
const FINAL: ReadonlySet<string> = new Set(["rejected", "stale", "failed", "orphaned", "distributed"]);

/**
 * A world's ledger, beside its server or without one: in its data folder, or where `ledger.database` says, a file or a URL. In a process of its own,
 * for libsql keeps a file open that was closed until its memory is collected. The caller closes it.
 */
export function openWorldLedger(world: MergeWorld, database?: string): LedgerStore {
  const address = ledgerAddress(database, join(world.folder, "data"));
  return openLedger(address, { access: "share", create: false, script: SQLITE_CHILD, clock: systemClock, onLost() {} });
}

/** Runs `work` on a world's ledger. */
export async function withLedger<T>(world: MergeWorld, work: (store: LedgerStore) => Promise<T>, database?: string) {
  const store = openWorldLedger(world, database);
  try {
    return await work(store);
  } finally {
    await store.close();
  }
}

/** What the ledger credits one worker for the same chains. */
export interface Credit {
  readonly identity: string;
  /** Names in order with commas; `""` for Bitcoin alone. */
  readonly chains: string;
  readonly shares: number;
  readonly work: bigint;
}

/** All credit of a ledger, by identity and chains; none while it cannot be read. */
export async function creditOf(world: MergeWorld, database?: string): Promise<Credit[]> {
  const read = ({ db }: LedgerStore) =>
    db
      .selectFrom("credits")
      .innerJoin("workers", "workers.id", "credits.worker_id")
      .innerJoin("chain_sets", "chain_sets.id", "credits.chain_set_id")
      .select(({ fn }) => [
        "workers.identity",
        "chain_sets.chains",
        fn.sum<number>("credits.shares").as("shares"),
        fn.sum<number>("credits.work_lo").as("work"),
      ])
      .groupBy(["workers.identity", "chain_sets.chains"])
      .orderBy("workers.identity")
      .orderBy("chain_sets.chains")
      .execute();
  const rows = await withLedger(world, read, database).catch(() => []);
  return rows.map(({ chains, work, ...row }) => ({ ...row, chains: chains.replace(/^,|,$/g, ""), work: BigInt(work) }));
}

/** Blocks of others until all of ours are mature; the server follows them meanwhile. */
export async function mineOn({ node, namecoin, rsk }: WorldDaemons): Promise<void> {
  await node.generate(101);
  for (let i = 0; i < 101; i++) namecoin.mineForeignBlock();
  for (let i = 0; i < 3 * RSK_MATURITY; i++) rsk.mineForeignBlock();
}

/** What `untilFinal` waits for. */
export interface FinalWish {
  readonly database?: string | undefined;
  /** Blocks that are to be distributed by then; left out, none is waited for. */
  readonly distributed?: number;
}

/** Resolves when nothing more can become of any block of the ledger; rejects when nothing has become of any for a minute. */
export async function untilFinal(world: MergeWorld, { database, distributed = 0 }: FinalWish = {}): Promise<void> {
  let seen = "";
  let deadline = 0;
  for (;;) {
    const counts = await withLedger(
      world,
      ({ db }) =>
        db
          .selectFrom("blocks")
          .select(({ fn }) => ["chain", "state", fn.countAll<number>().as("blocks")])
          .groupBy(["chain", "state"])
          .orderBy("chain")
          .orderBy("state")
          .execute(),
      database,
    );
    const done = counts.filter(({ state }) => state === "distributed").reduce((sum, { blocks }) => sum + blocks, 0);
    if (done >= distributed && counts.every(({ state }) => FINAL.has(state))) return;
    const now = JSON.stringify(counts);
    if (now !== seen) deadline = performance.now() + 60_000;
    seen = now;
    if (performance.now() > deadline)
      throw new Error(`blocks without an end, ${distributed} distributed wanted: ${now}`);
    await pause(500);
  }
}

/** Our blocks by chain, as their daemons have them now. */
export function ownBlocks({ node, namecoin, rsk }: WorldDaemons): Record<"bitcoin" | "namecoin" | "rsk", OwnBlock[]> {
  return { bitcoin: bitcoinBlocks(node), namecoin: namecoinBlocks(namecoin), rsk: rskBlocks(rsk) };
}

/** Blocks of the best chain whose coinbase pays the pool's script. */
function bitcoinBlocks({ chain }: DevnetNode): OwnBlock[] {
  const found: OwnBlock[] = [];
  for (let height = chain.tip.height; height > 0; height--) {
    const block = chain.at(height);
    if (block === undefined) break;
    const ours = block.data?.txs[0]?.tx.outputs.filter(({ script }) => toHex(script) === POOL_SCRIPT) ?? [];
    const reward = ours.reduce((sum, { value }) => sum + value, 0n);
    if (ours.length > 0) found.push({ hash: toDisplayHex(block.hash), reward });
  }
  return found;
}

/** Blocks of the best chain with a proof of a parent: the daemon's own have none. */
function namecoinBlocks({ chain }: NamecoinDaemon): OwnBlock[] {
  const found: OwnBlock[] = [];
  for (let height = chain.tip.height; height > 0; height--) {
    const block = chain.at(height);
    if (block?.auxpow === undefined) continue;
    found.push({ hash: block.key, reward: block.coinbase.outputs.reduce((sum, { value }) => sum + value, 0n) });
  }
  return found;
}

/** Blocks of ours in the best chain, and those that it names as uncles. What a block with siblings pays is not worked out: 0 for uncles. */
function rskBlocks({ chain }: RskDaemon): OwnBlock[] {
  const found: OwnBlock[] = [];
  for (let number = chain.tip.number; number > 0; number--) {
    const block = chain.at(number);
    if (block === undefined) break;
    const payer = chain.at(number + RSK_MATURITY);
    const payments = payer === undefined ? [] : paymentsOf(chain, payer, RSK_MATURITY).payments;
    const own = payments.filter(({ to }) => to === block.miner);
    if (block.proof !== undefined) found.push({ hash: block.hash, reward: own.at(-1)?.wei ?? 0n });
    for (const hash of block.uncles) if (chain.find(hash)?.proof !== undefined) found.push({ hash, reward: 0n });
  }
  return found;
}
