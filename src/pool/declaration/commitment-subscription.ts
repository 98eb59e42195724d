/**
 * The server's side of extension 0x4d4d on a job declaration connection (docs/extension-merge-mining.md): a client is told what its coinbase must hold, now
 * and whenever that changes. One that does not read is told the newest when it does, and nothing in between.
 */
import { type CommitmentRoom, commitmentsMessage, type LiveCommitments } from "../../merge/live-commitments.ts";
import { type MERGE_MINING, mergeMining } from "../../sv2/messages/merge-mining.ts";
import type { Value } from "../../sv2/table.ts";

/** Commitments are told this often at most, ms: the least time between two jobs of ours for chains' new work. */
export const MIN_INTERVAL_MS = 250;

/** Bytes that may wait for a client before it is told more. */
const MOST_WAITING_BYTES = 65_536;

/** What a subscription works with. */
export interface CommitmentSubscriptionDeps {
  readonly send: (frame: Uint8Array) => void;
  /** Bytes that wait for the client. */
  readonly waiting: () => number;
  readonly live: (room: CommitmentRoom) => LiveCommitments;
}

/** The subscription of one connection; there is never more than one. */
export class CommitmentSubscription {
  readonly #deps: CommitmentSubscriptionDeps;
  #wanted: { readonly requestId: number; readonly room: CommitmentRoom } | undefined;
  #told: LiveCommitments | undefined;

  constructor(deps: CommitmentSubscriptionDeps) {
    this.#deps = deps;
  }

  /** Takes a subscription, the first one or one in the place of the last. */
  subscribe(message: Value<typeof MERGE_MINING.SubscribeCommitments>): void {
    const { requestId, maxScriptSigSize: scriptSigBytes, maxOutputsSize: outputBytes } = message;
    this.#wanted = { requestId, room: { scriptSigBytes, outputBytes } };
    this.#told = undefined;
    this.#deps.send(mergeMining.encode("SubscribeCommitmentsSuccess", { requestId, minIntervalMs: MIN_INTERVAL_MS }));
    this.tell();
  }

  /** Tells what is new, if there is something. To be called when chains have new work, and about once a second. */
  tell(): void {
    if (this.#wanted === undefined || this.#deps.waiting() > MOST_WAITING_BYTES) return;
    const { requestId, room } = this.#wanted;
    const live = this.#deps.live(room);
    if (live === this.#told || (this.#told !== undefined && isSame(live, this.#told))) return;
    this.#told = live;
    this.#deps.send(mergeMining.encode("Commitments", commitmentsMessage(live, requestId)));
  }

  /** Ends the subscription, if there is one. */
  end(): void {
    this.#wanted = undefined;
  }
}

function isSame(a: LiveCommitments, b: LiveCommitments): boolean {
  return a.chains.length === 0 && b.chains.length === 0;
}
