/**
 * Which version of the wire is spoken with the node in front of us: chosen at each handshake, since a node may be another one
 * after its restart, and corrected where the node does not even take the subscription.
 */
import type { Schema } from "../wire/schema.ts";
import { schemaCandidates } from "../wire/version.ts";
import { Spelling } from "./spelling.ts";

/** How the node is met. */
export interface DialectOptions {
  readonly family: "legacy" | "socket";
  readonly wire: Schema | "auto";
}

/** What is spoken. */
export class Dialect {
  readonly #options: DialectOptions;
  #nodeVersion: string | undefined;
  #candidates: readonly Schema[];
  #spelling: Spelling;
  #isAccused = false;

  constructor(_deps: object, options: DialectOptions) {
    this.#options = options;
    this.#candidates = schemaCandidates({ ...options, nodeVersion: undefined });
    this.#spelling = new Spelling(this.#candidates);
  }

  /** The schema of subscriptions, events and reads. */
  get schema(): Schema {
    return this.#candidates[0] ?? "s3";
  }

  get spelling(): Spelling {
    return this.#spelling;
  }

  get nodeVersion(): string | undefined {
    return this.#nodeVersion;
  }

  /** A node took the handshake. Returns whether it is another node than the last one. */
  served(nodeVersion: string): boolean {
    if (this.#nodeVersion === nodeVersion) return false;
    const isOther = this.#nodeVersion !== undefined;
    this.#nodeVersion = nodeVersion;
    this.#choose(schemaCandidates({ ...this.#options, nodeVersion }));
    return isOther;
  }

  /** The node closed the connection at the subscription. */
  subscriptionClosed(): void {
    this.#isAccused = true;
  }

  /** The next connection did not open: the node was going away, and the subscription is not to blame. */
  acquit(): void {
    this.#isAccused = false;
  }

  /** The next connection opened: this version was the wrong one, and the next has its turn. After the last, all have one again. */
  convict(): void {
    if (!this.#isAccused) return;
    this.#isAccused = false;
    const rest = this.#candidates.slice(1);
    const { family, wire } = this.#options;
    this.#choose(rest.length > 0 ? rest : schemaCandidates({ family, wire, nodeVersion: this.#nodeVersion }));
  }

  #choose(candidates: readonly Schema[]): void {
    this.#candidates = candidates;
    this.#spelling = new Spelling(candidates);
  }
}
