/** The ledger's parts and how they hang together: a chapter of the container, which is long enough without it. */
import { join } from "node:path";
import type { DependencyContainer, InjectionToken } from "tsyringe";
import { diskFiles } from "../daemon/files.ts";
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { BLOCK_RECORDS_DEFAULTS, BlockRecords } from "../ledger/blocks/block-records.ts";
import { BlockWrites } from "../ledger/blocks/block-writes.ts";
import { CHECK_PACE, type CheckPace } from "../ledger/blocks/check-pace.ts";
import { BLOCK_FOLLOWER_DEFAULTS, BlockFollower } from "../ledger/blocks/follower.ts";
import { recordingSink } from "../ledger/blocks/recording-sink.ts";
import { DISTRIBUTION_DEFAULTS, Distribution, type RewardStep } from "../ledger/books/distribution.ts";
import { SUMMARIES_DEFAULTS, Summaries } from "../ledger/books/summaries.ts";
import { Compaction } from "../ledger/credit/compaction.ts";
import { CreditLedger } from "../ledger/credit/credit-ledger.ts";
import type { BlockStateChanged } from "../ledger/events.ts";
import { FOUND_AUX_JOURNAL_DEFAULTS, FoundAuxJournal } from "../ledger/found-aux-journal.ts";
import { openLedger } from "../ledger/store/address.ts";
import { LEDGER_CONNECTION_DEFAULTS, LedgerConnection } from "../ledger/store/connection.ts";
import { BITCOIN_BLOCK_STATUS_DEFAULTS, bitcoinBlockStatus } from "../node/bitcoind/block-status.ts";
import { BlockJournal } from "../node/bitcoind/journal.ts";
import { SQLITE_CHILD } from "./parts.ts";
import { rewardRulesOf } from "./reward-rules.ts";
import type { Settings } from "./settings.ts";
import { TOKENS } from "./tokens.ts";

/** Finished blocks whose journal files are kept; a full block takes 8 MB as hex. */
const JOURNAL_KEEP = 100;
const DAY_MS = 86_400_000;
/** The oldest block that waits for its maturity: RSK pays after 1.4 days, the others sooner. */
const MATURITY_MS = 7 * DAY_MS;

/** What the container lends. */
export interface LedgerTools {
  readonly settings: Settings;
  readonly part: <T>(token: InjectionToken<T>, make: () => T) => void;
  readonly get: DependencyContainer["resolve"];
  readonly log: (name: string) => Log;
}

/** Registers everything from journals to books. */
export function registerLedger({ settings, part, get, log }: LedgerTools): void {
  const { config, dataDir, ledger: address } = settings;
  const { ledger: keys } = config;
  const pace: CheckPace = { ...CHECK_PACE, leastMs: keys.follow_s * 1000 };

  // The outbox: on the disk before a block is submitted, whatever becomes of the database
  part(TOKENS.blockJournal, () => {
    const recorded: BlockRecords["recorded"] = (files) => get(TOKENS.blockRecords).recorded(files);
    return new BlockJournal(
      { files: diskFiles, log: log("blocks"), recorded },
      { folder: join(dataDir, "blocks"), keep: JOURNAL_KEEP },
    );
  });
  part(TOKENS.foundAux, () => {
    const recorded: BlockRecords["recorded"] = (files) => get(TOKENS.blockRecords).recorded(files);
    return new FoundAuxJournal(
      { files: diskFiles, log: log("aux blocks"), recorded },
      { ...FOUND_AUX_JOURNAL_DEFAULTS, folder: join(dataDir, "aux-blocks") },
    );
  });

  // The database
  part(
    TOKENS.ledger,
    () =>
      new LedgerConnection(
        {
          clock: get(TOKENS.clock),
          log: log("ledger"),
          meter: get(TOKENS.meter),
          open: (how) => openLedger(address, { ...how, access: "own", script: SQLITE_CHILD, clock: get(TOKENS.clock) }),
        },
        LEDGER_CONNECTION_DEFAULTS,
      ),
  );

  // Work of workers
  part(
    TOKENS.credit,
    () =>
      new CreditLedger(
        {
          clock: get(TOKENS.clock),
          log: log("credit"),
          meter: get(TOKENS.meter),
          ledger: get(TOKENS.ledger),
          random: get(TOKENS.random),
        },
        { server: config.stratum_v2.server_id, flushMs: keys.flush_s * 1000, sliceMs: keys.slice_s * 1000 },
      ),
  );
  part(
    TOKENS.compaction,
    () =>
      new Compaction(
        { clock: get(TOKENS.clock), log: log("ledger"), meter: get(TOKENS.meter), ledger: get(TOKENS.ledger) },
        { keepMs: keys.keep_days * DAY_MS, windowMs: keys.max_window_days * DAY_MS + MATURITY_MS },
      ),
  );

  // Found blocks
  part(
    TOKENS.blockWrites,
    () => new BlockWrites({ log: log("found blocks"), ledger: get(TOKENS.ledger), bus: get(TOKENS.bus) }),
  );
  part(
    TOKENS.blockRecords,
    () =>
      new BlockRecords(
        {
          clock: get(TOKENS.clock),
          log: log("found blocks"),
          meter: get(TOKENS.meter),
          ledger: get(TOKENS.ledger),
          writes: get(TOKENS.blockWrites),
          histories: { bitcoin: get(TOKENS.blockJournal), aux: get(TOKENS.foundAux) },
          onFound: (atMs) => get(TOKENS.credit).cut(atMs),
        },
        { ...BLOCK_RECORDS_DEFAULTS, pace },
      ),
  );
  part(TOKENS.recordedBlocks, () => {
    const records = get(TOKENS.blockRecords);
    const bus = get(TOKENS.bus);
    bus.on("AuxBlockFound", (found) => records.auxFound(found));
    bus.on("AuxBlockAnswered", (answered) => records.auxAnswered(answered));
    const sink = recordingSink(get(TOKENS.blockSink), (block) => records.bitcoinFound(block));
    sink.onAnswer((block, answer) => records.bitcoinAnswered(block, answer));
    return sink;
  });
  part(
    TOKENS.blockFollower,
    () =>
      new BlockFollower(
        {
          clock: get(TOKENS.clock),
          log: log("found blocks"),
          meter: get(TOKENS.meter),
          ledger: get(TOKENS.ledger),
          writes: get(TOKENS.blockWrites),
          statusOf: (chain, block) => get(TOKENS.pluginHost).status(chain, block),
          bitcoinStatus: async (hash) => {
            const nodes = get(TOKENS.nodeSource)?.status().nodes ?? [];
            const trusted = new Set(nodes.flatMap(({ name, trust }) => (trust === "trusted" ? [name] : [])));
            // The bllvm node, behind the others, has a say where there are no others: it takes blocks that the network refuses.
            const all = get(TOKENS.nodes);
            // Nobody's word: "unknown" would be one.
            if (all.length === 0) throw new Fault("config-no-node");
            const asked = settings.nodes.length === 0 ? all : all.slice(0, settings.nodes.length);
            const deps = { nodes: asked, isTrusted: (node: string) => trusted.has(node) };
            return await bitcoinBlockStatus(deps, BITCOIN_BLOCK_STATUS_DEFAULTS, hash);
          },
        },
        {
          ...BLOCK_FOLLOWER_DEFAULTS,
          pace,
          everyMs: Math.min(BLOCK_FOLLOWER_DEFAULTS.everyMs, keys.follow_s * 1000),
          restMs: Math.min(BLOCK_FOLLOWER_DEFAULTS.restMs, keys.follow_s * 1000),
        },
      ),
  );

  // The books
  part(TOKENS.distribution, () => {
    const bus = get(TOKENS.bus);
    const credit = get(TOKENS.credit);
    const distribution = new Distribution(
      {
        clock: get(TOKENS.clock),
        log: log("rewards"),
        meter: get(TOKENS.meter),
        ledger: get(TOKENS.ledger),
        rules: (chain) => rewardRulesOf(config, chain),
        beforeRead: () => credit.flush(),
        onDistributed: (step) => {
          const { chain, blockHash, height, amount, accounts, atMs } = step;
          if (step.step !== "finish") {
            bus.emit("RewardDistributed", { chain, blockHash, height, step: step.step, amount, accounts, atMs });
          }
          if (step.isDone) bus.emit("BlockStateChanged", distributed(step));
        },
      },
      DISTRIBUTION_DEFAULTS,
    );
    bus.on("BlockStateChanged", ({ to }) => {
      if (WAKING.has(to)) distribution.wake();
    });
    return distribution;
  });
  part(
    TOKENS.summaries,
    () =>
      new Summaries(
        { clock: get(TOKENS.clock), log: log("ledger"), ledger: get(TOKENS.ledger) },
        { ...SUMMARIES_DEFAULTS, keepDetailMs: keys.keep_detail_days * DAY_MS },
      ),
  );
}

/** States after which the books may owe something. */
const WAKING: ReadonlySet<BlockStateChanged["to"]> = new Set(["confirmed", "uncle", "mature", "orphaned"]);

function distributed({ chain, key, blockHash, height, finder, amount, atMs }: RewardStep): BlockStateChanged {
  return { chain, key, blockHash, height, finder, from: "mature", to: "distributed", atMs, note: "", reward: amount };
}
