/** The miner's side of one connection of Stratum V1. */
import type { Link } from "./links.ts";

/** What a share is submitted for. */
export interface Sv1Work {
  readonly jobId: string;
  readonly ntime: string;
}

const NO_WORK: Sv1Work = { jobId: "", ntime: "" };

/** The id that submissions have, the recorded miner's. */
const SUBMIT_ID = 4;

/** A connected miner; it knows its work from what the pool says and counts the answers. */
export class Sv1Miner {
  readonly link: Link;
  accepted = 0;
  refused = 0;
  #work = NO_WORK;
  #workBefore = NO_WORK;
  #rest = "";

  constructor(deps: { readonly link: Link }) {
    this.link = deps.link;
    this.link.onData((bytes) => {
      const lines = (this.#rest + Buffer.from(bytes).toString("latin1")).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#hear(line);
    });
  }

  /** The newest job, or the last one on the block before. */
  work(late: boolean): Sv1Work {
    return late ? this.#workBefore : this.#work;
  }

  #hear(line: string): void {
    const { method, params, id, result } = JSON.parse(line);
    if (method === "mining.notify") {
      const [jobId, , , , , , , ntime, clean] = params;
      if (clean === true) this.#workBefore = this.#work;
      this.#work = { jobId, ntime };
    } else if (id === SUBMIT_ID && result === true) this.accepted += 1;
    else if (id === SUBMIT_ID) this.refused += 1;
  }
}
