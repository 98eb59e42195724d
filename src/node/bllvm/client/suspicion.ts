/**
 * Which request costs the connection. The node closes it at every error without a word, so what was unanswered at that moment is
 * all there is to go by: one request is the culprit, of several each is asked alone until it was answered once. A culprit
 * is judged when the next connection opens: where none opens, the node itself was going away and nobody is to blame.
 * Source: blvm-node `src/module/ipc/server.rs` 783-793 (any error ends the connection).
 */
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";
import { OPERATIONS, type Operation } from "./operations.ts";

/** First and longest rest of a read that closed the connection, ms: the node may have no tip yet, and has one later. */
const REST_MS = { first: 5_000, most: 300_000 } as const;
/** Connections in a row that a request may cost that was answered before: the node failed at it, but it knows and allows it. */
const MOST_FAILURES = 2;
/** Connections that optional requests may cost altogether, until the node is another one. */
const MOST_RISKS = 3;

/** What a module may do that the node knows no capabilities of (`src/module/security/permissions.rs` 165-178), and what it asks nobody for. */
const GIVEN_TO_ALL: ReadonlySet<string> = new Set(["read_blockchain", "read_utxo", "read_chain_state", "none"]);

/** What suspicion needs. `onUnusable`: there is one more request that is not sent any more. */
export interface SuspicionDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly onUnusable: () => void;
}

/** How a request may be sent now. */
export type Admission =
  | { readonly may: true; readonly attempt: number; readonly alone: boolean }
  | { readonly may: false; readonly why: "unusable" | "resting"; readonly restMs: number };

/** What is known of one request. */
interface Repute {
  /** Connections that it cost since it was answered last. */
  closings: number;
  /** Which spelling is in use. */
  attempt: number;
  /** It was answered once. */
  isProven: boolean;
  restUntilMs: number;
  isSuspect: boolean;
}

/** What is known of every request. */
export class Suspicion {
  readonly #deps: SuspicionDeps;
  readonly #attempts: (operation: Operation) => number;
  readonly #reputes = new Map<Operation, Repute>();
  #accused: readonly Operation[] = [];
  #risks = 0;
  /** The node knows us by no capabilities of our own: it refused a request that needs one, and answered none that does. */
  #isStranger = false;

  /** `attempts`: ways to spell the request, by schema; each is tried once. */
  constructor(deps: SuspicionDeps, options: { readonly attempts: (operation: Operation) => number }) {
    this.#deps = deps;
    this.#attempts = options.attempts;
  }

  /** Whether and how `operation` may be sent. */
  admit(operation: Operation): Admission {
    const { closings, attempt, restUntilMs, isSuspect } = this.#repute(operation);
    const { kind } = OPERATIONS[operation];
    if (kind !== "read") {
      if (this.#isUnusable(operation)) return { may: false, why: "unusable", restMs: 0 };
      return { may: true, attempt, alone: true };
    }
    const restMs = restUntilMs - this.#deps.clock.monotonicMs();
    if (restMs > 0) return { may: false, why: "resting", restMs };
    return { may: true, attempt: 0, alone: isSuspect || closings > 0 };
  }

  /** The node answered, also with an error: the connection survived. */
  answered(operation: Operation): void {
    const repute = this.#repute(operation);
    repute.isSuspect = false;
    repute.isProven = true;
    repute.closings = 0;
    if (needsMore(operation)) this.#isStranger = false;
  }

  /** The node answered something else than was asked: in its version this spelling is another request. */
  misspelled(operation: Operation): void {
    if (OPERATIONS[operation].kind !== "read") this.#strike(operation, "misspelled");
  }

  /** Its answer could not be read, which cost the connection. */
  garbled(operation: Operation): void {
    this.#cost(operation, "misspelled");
  }

  /** The node closed the connection while these were unanswered. */
  closed(unanswered: readonly Operation[]): void {
    const suspects = [...new Set(unanswered)];
    this.#accused = suspects.length === 1 ? suspects : [];
    if (suspects.length > 1) for (const operation of suspects) this.#repute(operation).isSuspect = true;
  }

  /** The next connection failed to open: the node is away, and that is why it closed. */
  acquit(): void {
    this.#accused = [];
  }

  /** The next connection opened: the node is there, so it closed because of the request. */
  convict(): void {
    const [culprit] = this.#accused;
    this.#accused = [];
    if (culprit !== undefined) this.#cost(culprit, "refused");
  }

  /** Names of what is not sent any more. */
  unusable(): Operation[] {
    return (Object.keys(OPERATIONS) as Operation[]).filter(
      (operation) => OPERATIONS[operation].kind !== "read" && this.#isUnusable(operation),
    );
  }

  /** The node is another one now, e.g. after an upgrade: what was learnt of the old one is forgotten. */
  forget(): void {
    this.#reputes.clear();
    this.#accused = [];
    this.#risks = 0;
    this.#isStranger = false;
  }

  #isUnusable(operation: Operation): boolean {
    const { closings, isProven } = this.#repute(operation);
    if (closings >= (isProven ? MOST_FAILURES : this.#rounds(operation) * this.#attempts(operation))) return true;
    if (OPERATIONS[operation].kind !== "optional") return false;
    return this.#risks >= MOST_RISKS || (this.#isStranger && needsMore(operation));
  }

  /** How often each spelling is tried: a block is worth a second time, in case the node fell and rose again within a moment. */
  #rounds(operation: Operation): number {
    return OPERATIONS[operation].kind === "submission" ? 2 : 1;
  }

  #cost(operation: Operation, why: "refused" | "misspelled"): void {
    const { kind } = OPERATIONS[operation];
    if (kind === "optional") this.#risk();
    if (kind === "read") this.#rest(operation);
    else this.#strike(operation, why);
  }

  #rest(operation: Operation): void {
    const repute = this.#repute(operation);
    repute.closings += 1;
    const restMs = Math.min(REST_MS.most, REST_MS.first * 2 ** Math.min(repute.closings - 1, 30));
    repute.restUntilMs = this.#deps.clock.monotonicMs() + restMs;
    if (repute.closings > 1) return;
    this.#deps.log.warn(
      `the bllvm node closes the connection at ${operation}: it has no chain tip yet, or the module lacks the capability ${OPERATIONS[operation].capability} (docs/bllvm.md). It is asked again, ever more rarely`,
      { request: operation },
    );
  }

  #strike(operation: Operation, why: "refused" | "misspelled"): void {
    const repute = this.#repute(operation);
    repute.closings += 1;
    if (!repute.isProven) repute.attempt = repute.closings % Math.max(1, this.#attempts(operation));
    const { capability } = OPERATIONS[operation];
    if (!this.#isUnusable(operation)) {
      this.#deps.log.info(
        `the bllvm node does not take ${operation}: it is tried again${repute.isProven || repute.attempt === 0 ? "" : ", as another version spells it"}`,
      );
      return;
    }
    if (why === "refused" && needsMore(operation) && !this.isKnown) {
      this.#isStranger = true;
      const others = this.unusable().filter((other) => other !== operation);
      this.#deps.log.warn(
        `the bllvm node closes the connection at ${operation}: it gives this module what it gives to every module, and none of the capabilities of module.toml. Not sent any more: ${[operation, ...others].join(", ")}. To have them, let the node load the module from its modules folder (\`install-module\`, docs/bllvm.md) and restart both`,
        { request: operation },
      );
      this.#deps.onUnusable();
      return;
    }
    const help =
      capability === "none" ? "set bllvm.wire to the node's version" : `give the module the capability ${capability}`;
    this.#deps.log.warn(
      `the bllvm node does not take ${operation} and closes the connection: it is not sent any more. To have it, ${help} (docs/bllvm.md) and restart the node and the module`,
      { request: operation },
    );
    this.#deps.onUnusable();
  }

  /** Whether the node answered a request that takes a capability of ours. */
  get isKnown(): boolean {
    return [...this.#reputes].some(([operation, { isProven }]) => isProven && needsMore(operation));
  }

  #risk(): void {
    this.#risks += 1;
    if (this.#risks !== MOST_RISKS) return;
    this.#deps.log.warn(
      `requests that are not needed cost ${MOST_RISKS} connections to the bllvm node, and with each its events: none of them is sent any more. Give the module the capabilities of module.toml (docs/bllvm.md) and restart the node and the module`,
    );
  }

  #repute(operation: Operation): Repute {
    let repute = this.#reputes.get(operation);
    if (repute === undefined) {
      repute = { closings: 0, attempt: 0, isProven: false, restUntilMs: 0, isSuspect: false };
      this.#reputes.set(operation, repute);
    }
    return repute;
  }
}

/** Whether a module without capabilities of its own is refused it. A node knows all capabilities of a manifest, or none. */
function needsMore(operation: Operation): boolean {
  return !GIVEN_TO_ALL.has(OPERATIONS[operation].capability);
}
