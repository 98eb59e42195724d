/** Found blocks, journals in memory and a database that can be taken away, for tests of the ledger's blocks. */
import { compactFromTarget } from "../../src/bitcoin/target.ts";
import type { Recorded } from "../../src/daemon/journal-file.ts";
import { Bus } from "../../src/kernel/events.ts";
import { Fault } from "../../src/kernel/fault.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import {
  BLOCK_RECORDS_DEFAULTS,
  BlockRecords,
  type BlockRecordsOptions,
} from "../../src/ledger/blocks/block-records.ts";
import { BlockWrites } from "../../src/ledger/blocks/block-writes.ts";
import type { BlockStateChanged, LedgerEvents, MergeMiningReward } from "../../src/ledger/events.ts";
import { FoundAuxJournal } from "../../src/ledger/found-aux-journal.ts";
import type { LedgerAccess } from "../../src/ledger/store/access.ts";
import type { LedgerStore } from "../../src/ledger/store/open.ts";
import type { LedgerDb } from "../../src/ledger/store/schema.ts";
import type { AuxAnswer, FoundAux } from "../../src/merge/found-aux.ts";
import type { FoundBlock } from "../../src/mining/ports.ts";
import { BlockJournal } from "../../src/node/bitcoind/journal.ts";
import { MemoryFiles } from "../unit/node/bitcoind/fakes.ts";
import type { FakeClock } from "./fake-clock.ts";
import { directAccess } from "./ledger-store.ts";
import { recordingLog } from "./recording-log.ts";

/** A Bitcoin block of difficulty about 2, whose hash is `n` over and over. */
export function bitcoinBlock(n: number, wish: Partial<FoundBlock> = {}): FoundBlock {
  const header = new Uint8Array(80);
  new DataView(header.buffer).setUint32(72, compactFromTarget(1n << 223n), true);
  return {
    hash: new Uint8Array(32).fill(n),
    height: 800_000 + n,
    prevHash: new Uint8Array(32).fill(n - 1),
    templateId: "t",
    source: "bitcoind",
    header,
    coinbase: Uint8Array.of(1),
    block: Uint8Array.of(1, 2),
    reward: 312_500_000n,
    finderReward: 0n,
    finderAddress: undefined,
    userIdentity: "farm.rig7",
    foundMs: 1_700_000_000_000,
    ...wish,
  };
}

/** A daemon's word. */
export function auxAnswer(verdict: AuxAnswer["verdict"], found: FoundAux, wish: Partial<AuxAnswer> = {}): AuxAnswer {
  const { id, height } = found.work;
  return { verdict, reason: "", blockHash: id, height, atMs: found.foundMs + 100, ...wish };
}

/** Access to a ledger that a test takes away, before a transaction or behind it: then it is committed, and nobody hears of it. */
export class FailingAccess implements LedgerAccess {
  readonly #access: LedgerAccess;
  /** What happens with the next calls. */
  mood: "well" | "away" | "loses answers" = "well";
  transactions = 0;

  constructor(store: LedgerStore) {
    this.#access = directAccess(store);
  }

  async run<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    if (this.mood === "away") throw away();
    return await this.#access.run(work);
  }

  async transaction<T>(work: (db: LedgerDb) => Promise<T>): Promise<T> {
    if (this.mood === "away") throw away();
    this.transactions += 1;
    const answer = await this.#access.transaction(work);
    if (this.mood === "loses answers") throw away();
    return answer;
  }
}

/** What the ledger's access throws while its database is not there; any code does. */
function away(): Fault {
  return new Fault("node-timeout", { node: "database" });
}

/** What was told on a bus. */
export function listening() {
  const bus = new Bus<LedgerEvents>({
    onError: (error) => {
      throw error;
    },
  });
  const changes: BlockStateChanged[] = [];
  const rewards: MergeMiningReward[] = [];
  bus.on("BlockStateChanged", (change) => void changes.push(change));
  bus.on("MergeMiningReward", (reward) => void rewards.push(reward));
  return { bus, changes, rewards };
}

/** Both journals on one memory of files, which outlives them. */
export function journals(
  files: MemoryFiles,
  options: { keep?: number; mostUnrecorded?: number; recorded?: Recorded } = {},
) {
  const { keep = 1000, mostUnrecorded = 10_000, recorded } = options;
  const log = recordingLog();
  const deps = { files, log, ...(recorded === undefined ? {} : { recorded }) };
  return {
    log,
    bitcoin: new BlockJournal(deps, { folder: "b", keep, mostUnrecorded }),
    aux: new FoundAuxJournal(deps, { folder: "a", keep, mostUnrecorded, maxUnsettled: 1000 }),
  };
}

/** Block records on a store, with everything around them. */
export function blockRecords(wish: {
  readonly store: LedgerStore;
  readonly clock: FakeClock;
  readonly files?: MemoryFiles;
  readonly options?: Partial<BlockRecordsOptions>;
}) {
  const { store, clock, files = new MemoryFiles(), options = {} } = wish;
  const access = new FailingAccess(store);
  const told = listening();
  const log = recordingLog();
  const finds: number[] = [];
  const lines = recordingLog();
  const writes = new BlockWrites({ ledger: access, bus: told.bus, log: lines });
  const histories = journals(files);
  const records = new BlockRecords(
    { clock, log, meter: silentMeter, ledger: access, writes, histories, onFound: (atMs) => void finds.push(atMs) },
    { ...BLOCK_RECORDS_DEFAULTS, ...options },
  );
  return { ...told, store, access, log, lines: lines.lines, finds, writes, histories, files, records };
}
