/** What clients of extension 0x4353 are told of the chains: numbers that `status` has too, and nothing of who mines. */
import { difficultyOfTarget } from "../bitcoin/target.ts";
import { BITCOIN } from "../ledger/store/schema.ts";
import type { Job } from "../mining/job.ts";
import type { BlockSink, FoundBlock } from "../mining/ports.ts";
import type { ChainStatistic } from "../pool/chain-statistics.ts";
import type { ServerStatus } from "./status.ts";

/** What the statistics are made of. */
export interface ChainStatisticsParts {
  readonly status: Pick<ServerStatus, "blocks" | "chains">;
  /** The newest job; `undefined` while there is none. */
  readonly job: Pick<Job, "bitcoinTarget" | "template"> | undefined;
  /** Bitcoin blocks that a node accepted. */
  readonly accepted: number;
}

/** Bitcoin first, then the chains as configured, those that rest included. */
export function chainStatisticsOf({ status, job, accepted }: ChainStatisticsParts): readonly ChainStatistic[] {
  const bitcoin: ChainStatistic = {
    chain: BITCOIN,
    height: job?.template.height,
    difficulty: job === undefined ? undefined : difficultyOf(job),
    inJob: job !== undefined,
    found: status.blocks.found,
    accepted,
  };
  return [
    bitcoin,
    ...status.chains.map(({ name, mining }) => ({
      chain: name,
      height: mining?.work?.height,
      difficulty: mining?.work?.difficulty,
      inJob: mining?.inJob ?? false,
      found: mining?.found ?? 0,
      accepted: mining === undefined ? 0 : mining.answers.accepted + mining.answers.duplicate,
    })),
  ];
}

/** A pool may send a target that nothing meets. */
function difficultyOf({ bitcoinTarget }: Pick<Job, "bitcoinTarget">): number {
  return bitcoinTarget === 0n ? Number.POSITIVE_INFINITY : difficultyOfTarget(bitcoinTarget);
}

/** Counts blocks of `sink` that a node accepted or has already, each once however many nodes there are. */
export function acceptedBlocks(sink: Pick<BlockSink, "onAnswer">): () => number {
  const counted = new WeakSet<FoundBlock>();
  let count = 0;
  sink.onAnswer((block, { verdict }) => {
    if ((verdict !== "accepted" && verdict !== "duplicate") || counted.has(block)) return;
    counted.add(block);
    count += 1;
  });
  return () => count;
}
