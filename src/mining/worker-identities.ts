/**
 * The workers that shares of one connection name (extension 0x0002): each is authorised with its first good share, and the
 * answer is kept so that the share path does not ask again. Each name is a worker in the ledger for good, so a connection has so many and no more.
 */
import type { Authoriser } from "./ports.ts";

/** What the policy says of a worker. */
export interface WorkerAnswer {
  /** `undefined` when it may mine, else the SV2 error code for its shares. */
  readonly refusal: string | undefined;
}

/** Answers for worker names, each asked for once. */
export class WorkerIdentities {
  readonly #authoriser: Authoriser;
  readonly #capacity: number;
  readonly #answers = new Map<string, WorkerAnswer>();

  /** `capacity`: names that a connection may have. */
  constructor(deps: { readonly authoriser: Authoriser }, options: { readonly capacity: number }) {
    this.#authoriser = deps.authoriser;
    this.#capacity = options.capacity;
  }

  /** Names that are known. */
  get size(): number {
    return this.#answers.size;
  }

  /** Whether the name is known, or there is room for it. */
  takes(userIdentity: string): boolean {
    return this.#answers.has(userIdentity) || this.#answers.size < this.#capacity;
  }

  /** What the policy says; `undefined` for a name more than the connection may have. */
  ask(userIdentity: string): WorkerAnswer | undefined {
    const known = this.#answers.get(userIdentity);
    if (known !== undefined || !this.takes(userIdentity)) return known;
    const answer = this.#authoriser.authorise(userIdentity);
    const made = { refusal: answer.allowed ? undefined : answer.errorCode };
    this.#answers.set(userIdentity, made);
    return made;
  }
}
