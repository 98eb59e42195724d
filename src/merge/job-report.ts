/**
 * Which chains are in the newest job, and why not the others: told once when it changes, not with every job, and counted
 * with every job.
 */
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Composition } from "./compose.ts";
import type { MergeBus } from "./found-aux.ts";

/** What `JobReport` works with. */
export interface JobReportDeps {
  readonly log: Log;
  readonly meter: Meter;
  readonly bus: MergeBus;
}

/** Where a chain stands. */
interface Standing {
  readonly inJob: boolean;
  /** Why it is not in the newest job, as a clause. */
  readonly dropped: string | undefined;
}

const NOT_YET: Standing = { inJob: false, dropped: "no job was made since it joined" };
const NO_WORK = "it has no work";

/** The newest job's chains. */
export class JobReport {
  readonly #deps: JobReportDeps;
  readonly #standings = new Map<string, Standing & { readonly reason: string | undefined }>();

  constructor(deps: JobReportDeps) {
    this.#deps = deps;
  }

  /** A job was made while `chains` took part. */
  made({ job, dropped }: Composition, chains: readonly string[]): void {
    const mined = new Set(job.aux?.entries.map(({ chain }) => chain));
    const reasons = new Map(dropped.map((each) => [each.chain, each]));
    for (const chain of chains) {
      const drop = reasons.get(chain);
      const reason = mined.has(chain) ? undefined : (drop?.reason ?? "no_work");
      const why = reason === undefined ? undefined : (drop?.detail ?? NO_WORK);
      if (reason !== undefined) this.#deps.meter.count("aux_commitments_dropped_total", 1, { chain, reason });
      const before = this.#standings.get(chain);
      this.#standings.set(chain, { inJob: reason === undefined, dropped: why, reason });
      if (before === undefined || before.reason !== reason) this.#tell(chain, reason, why);
    }
  }

  /** A chain does not take part any more. */
  left(chain: string): void {
    if (this.#standings.delete(chain)) this.#announce(chain, "left", undefined);
  }

  /** Where a chain stands. */
  of(chain: string): Standing {
    return this.#standings.get(chain) ?? NOT_YET;
  }

  #tell(chain: string, reason: string | undefined, why: string | undefined): void {
    const { log } = this.#deps;
    if (reason === undefined) log.info(`${chain}: jobs commit to it`, { chain });
    else if (reason === "no_work") log.info(`${chain}: jobs do not commit to it: ${why}`, { chain, reason });
    else log[reason === "failed" ? "error" : "warn"](`${chain}: jobs do not commit to it: ${why}`, { chain, reason });
    this.#announce(chain, reason === undefined ? "mined" : reason === "no_work" ? "idle" : "dropped", why);
  }

  /** A drop is trouble; no work is not, for a chain may be between two blocks, and its plugin says what troubles it. */
  #announce(chain: string, state: "mined" | "idle" | "dropped" | "left", why: string | undefined): void {
    this.#deps.bus.emit("ChainChanged", { chain, state, trouble: state === "dropped" ? why : undefined });
  }
}
