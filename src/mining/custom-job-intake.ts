/**
 * Takes the custom jobs of one connection (SetCustomMiningJob, spec 5.3.18). A job that is refused for the channel costs no token; once its token was
 * looked at it is used up, as at SRI's pool, so that nobody tries coinbases until one passes.
 */
import { equal } from "../kernel/bytes.ts";
import { SET_CUSTOM_MINING_JOB_ERROR as ERROR, type SetCustomMiningJobErrorCode } from "../sv2/codes.ts";
import { mergeMining } from "../sv2/messages/merge-mining.ts";
import { mining } from "../sv2/messages/mining.ts";
import { NO_CHAINS } from "./aux.ts";
import type { Channel } from "./channel.ts";
import { type CustomJobRequest, customJob } from "./custom-job.ts";
import type { DownstreamDeps, MiningOptions } from "./downstream-deps.ts";
import { BIP320_MASK, type Job } from "./job.ts";
import type { JobHandout } from "./job-handout.ts";
import { prepared } from "./prepared-job.ts";

/** What the intake works with: the conversation's own, its channels and its jobs. */
export interface CustomJobIntakeDeps extends DownstreamDeps {
  readonly channels: ReadonlyMap<number, Channel>;
  readonly handout: Pick<JobHandout, "activateCustom">;
}

/** The custom side of a conversation. */
export class CustomJobIntake {
  /** Whether the client is told for which chains its jobs count (extension 0x4d4d). */
  tellsChains = false;
  readonly #deps: CustomJobIntakeDeps;
  readonly #options: Pick<MiningOptions, "customLeastPercent">;

  constructor(deps: CustomJobIntakeDeps, options: Pick<MiningOptions, "customLeastPercent">) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Takes a custom job and answers. Never throws for what the client says. */
  set(request: CustomJobRequest): void {
    const { send, meter, log } = this.#deps;
    const { channelId, requestId } = request;
    const channel = this.#deps.channels.get(channelId);
    const job = this.#judge(request, channel);
    if (typeof job === "string" || channel === undefined) {
      const errorCode = typeof job === "string" ? job : ERROR.invalidChannelId;
      meter.count("custom_jobs_total", 1, { result: errorCode });
      log.debug(`custom job refused: ${errorCode}`, { channelId, requestId });
      send(mining.encode("SetCustomMiningJobError", { channelId, requestId, errorCode }));
      return;
    }
    const { jobId } = job;
    meter.count("custom_jobs_total", 1, { result: "accepted" });
    this.#deps.handout.activateCustom(channel, prepared(job));
    send(mining.encode("SetCustomMiningJobSuccess", { channelId, requestId, jobId }));
    const chains = job.aux?.chains ?? NO_CHAINS;
    if (this.tellsChains) send(mergeMining.encode("CustomJobChains", { channelId, jobId, chains }));
    log.debug("custom job taken", { channelId, jobId, chains: chains.join(" "), payout: job.payoutValue });
  }

  #judge(request: CustomJobRequest, channel: Channel | undefined): Job | SetCustomMiningJobErrorCode {
    const { customJobs, currentJob, nextJobId, clock } = this.#deps;
    if (customJobs === undefined) return ERROR.jdNotSupported;
    if (channel?.kind !== "extended") return ERROR.invalidChannelId;
    const tip = customJobs.tip();
    // Judged before the token is: who is late need not have another one.
    if (tip === undefined || !equal(request.prevHash, tip.prevHash)) return ERROR.staleChainTip;
    const work = customJobs.redeem(request.miningJobToken);
    if ("errorCode" in work) return work.errorCode;
    const job = customJob(request, work, {
      tip,
      extranonceSize: channel.extranonceSize,
      versionRollingMask: currentJob()?.versionRollingMask ?? BIP320_MASK,
      leastValuePercent: this.#options.customLeastPercent,
      jobId: nextJobId(),
      nowMs: clock.nowMs(),
    });
    if (typeof job === "string") return job;
    const recognised = customJobs.recognise(job);
    customJobs.taken?.(recognised, work);
    return recognised;
  }
}
