/** What marks a job as another pool's: with it a share finds its way there. */

/** Where a job of another pool came from. Frozen, part of its `Job`. */
export interface PoolWork {
  /** The pool's name, as configured. */
  readonly pool: string;
  /** Number of the upstream connection, not used again in this process: a share never goes to another than its job came from. */
  readonly connection: number;
  /** The upstream channel. */
  readonly channelId: number;
  /** The pool's own id of the job. */
  readonly jobId: number;
  /** The pool's share target for this job (spec 5.3.21: that of the job's activation), `Uint8Array(32)` little-endian. */
  readonly target: Uint8Array;
  /** Its difficulty. No channel below is made harder, or shares that the pool wants would be lost. */
  readonly difficulty: number;
}
