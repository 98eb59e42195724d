/**
 * The workers that shares of one connection name (extension 0x0002): each is authorised when it first shows up, and the
 * answer is kept so that the share path does not ask again.
 */
import type { Authoriser } from "./ports.ts";

/** Answers for worker names, the oldest forgotten first once there are too many: then it is asked for again. */
export class WorkerIdentities {
  readonly #authoriser: Authoriser;
  readonly #capacity: number;
  readonly #answers = new Map<string, string | undefined>();

  /** `capacity`: names that are kept at most. */
  constructor(deps: { readonly authoriser: Authoriser }, options: { readonly capacity: number }) {
    this.#authoriser = deps.authoriser;
    this.#capacity = options.capacity;
  }

  /** Names that are kept. */
  get size(): number {
    return this.#answers.size;
  }

  /** `undefined` when the worker may mine, else the SV2 error code for its share. */
  refusal(userIdentity: string): string | undefined {
    const known = this.#answers.get(userIdentity);
    if (known !== undefined || this.#answers.has(userIdentity)) return known;
    const answer = this.#authoriser.authorise(userIdentity);
    const refusal = answer.allowed ? undefined : answer.errorCode;
    if (this.#answers.size >= this.#capacity) {
      for (const oldest of this.#answers.keys()) {
        this.#answers.delete(oldest);
        break;
      }
    }
    this.#answers.set(userIdentity, refusal);
    return refusal;
  }
}
