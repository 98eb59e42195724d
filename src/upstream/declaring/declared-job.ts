/** A job of ours for somebody else's pool: the outputs of its token, the commitments of our chains or of its own, and its extranonce in front of ours. */
import { difficultyOfTarget, targetFromBytes } from "../../bitcoin/target.ts";
import type { TxOutput } from "../../bitcoin/transaction.ts";
import { concat } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import type { Unsubscribe } from "../../kernel/events.ts";
import { commitmentsOf, type LiveCommitments } from "../../merge/live-commitments.ts";
import { buildJob, type Job, type JobIds, type JobParts } from "../../mining/job.ts";
import type { PoolWork } from "../../mining/pool-work.ts";
import type { TemplateCause } from "../../mining/ports.ts";
import type { Template } from "../../mining/template.ts";
import type { UpstreamAnswer, UpstreamShare } from "../../mining/upstream-ports.ts";
import type { Token } from "../declaration/declarator.ts";
import type { UpstreamChannel } from "../upstream-channel.ts";

/** How long a pool that has not seen a block of ours is asked again, ms. */
const ASK_UNTIL_MS = 20_000;

/** How our own work comes. */
export interface OwnWork {
  current(): Template | undefined;
  onTemplate(listener: (template: Template, cause: TemplateCause) => void): Unsubscribe;
  /** The transactions of a template; `undefined` when nobody has them any more. */
  transactionsOf(template: Template): Promise<readonly Uint8Array[] | undefined>;
  /** Makes a job that commits to our chains. Throws as `buildJob`. */
  makeJob(parts: JobParts): Job;
  /** Chains have new work that is worth a job. */
  onWork(listener: () => void): Unsubscribe;
  /** Whether any chain of ours is to be committed to. */
  hasChains(): boolean;
}

/** A job of ours at the pool. */
export interface Declared {
  readonly job: Job;
  /** The same with the pool's whole extranonce. */
  readonly whole: Job;
  readonly template: Template;
  /** How its Success is told to miners. */
  readonly cause: TemplateCause;
  /** Until then it is asked for again when the pool lacks its block, monotonic ms. */
  readonly askUntilMs: number;
  /** What the whole extranonce begins with at the pool. */
  readonly extranoncePrefix: Uint8Array;
  readonly outputs: readonly TxOutput[];
  state: "waiting" | "set" | "refused";
  /** The pool's id, once it is set. */
  poolJobId: number;
  readonly waiting: { readonly share: UpstreamShare; readonly answer: (said: UpstreamAnswer) => void }[];
}

/** What a job is made with. */
export interface DeclaredJobDeps {
  readonly work: Pick<OwnWork, "makeJob" | "hasChains">;
  readonly jobIds: Pick<JobIds, "next">;
  readonly clock: Clock;
  /** What the pool's chains want. */
  readonly foreign: LiveCommitments | undefined;
}

/** What a job is made of. */
export interface DeclaredJobParts {
  /** The pool's name. */
  readonly pool: string;
  /** Number of its connection. */
  readonly connection: number;
  readonly tag: Uint8Array;
  readonly versionRollingMask: number;
  readonly template: Template;
  readonly token: Token;
  readonly channel: UpstreamChannel;
  readonly cause: TemplateCause;
}

/** The job, which waits for the pool's word. Throws as `buildJob`. */
export function declaredJob(
  { work, jobIds, clock, foreign }: DeclaredJobDeps,
  { pool: name, connection, tag, versionRollingMask, template, token, channel, cause }: DeclaredJobParts,
): Declared {
  const { extranoncePrefix, extranonceSize, channelId, target } = channel;
  const outputs = (value: bigint): readonly TxOutput[] =>
    token.outputs.map(({ script }, i) => ({ value: i === 0 ? value : 0n, script }));
  const parts: JobParts = {
    template,
    payout: outputs,
    tag,
    jobId: jobIds.next(),
    nowMs: clock.nowMs(),
    versionRollingMask,
    extranonceSize: extranoncePrefix.length + extranonceSize,
  };
  const whole =
    work.hasChains() || foreign === undefined
      ? work.makeJob(parts)
      : buildJob({ ...parts, commitments: commitmentsOf(foreign) });
  const difficulty = difficultyOf(target);
  const pool: PoolWork = Object.freeze({ pool: name, connection, channelId, jobId: whole.jobId, target, difficulty });
  const job: Job = Object.freeze({
    ...whole,
    coinbasePrefix: concat(whole.coinbasePrefix, extranoncePrefix),
    extranonceSize,
    payoutValue: 0n,
    pool,
  });
  return {
    job,
    whole,
    template,
    cause,
    askUntilMs: clock.monotonicMs() + ASK_UNTIL_MS,
    extranoncePrefix,
    outputs: outputs(template.coinbaseValue),
    state: "waiting",
    poolJobId: 0,
    waiting: [],
  };
}

function difficultyOf(target: Uint8Array): number {
  const value = targetFromBytes(target);
  return value === 0n ? Number.POSITIVE_INFINITY : difficultyOfTarget(value);
}
