/**
 * The one door behind all listeners: who is let in, how many handshakes are begun a second, and how much the log tells of
 * peers. It is shared, so that nobody gains by knocking at another port. A transport with a handshake of its own asks here
 * before that handshake costs anything; a stream of any other is admitted by the server when it comes.
 */
import type { Clock } from "../kernel/clock.ts";
import { describe, type Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import { Admission, type Ticket } from "./admission.ts";
import { HandshakeGate } from "./handshake-gate.ts";
import type { ServerLimits } from "./server-options.ts";
import { TokenBucket } from "./token-bucket.ts";

/** Lines about closed connections at level `info`: what peers can write into the log is bounded. */
const CONNECTION_LINES = { perSecond: 5, burst: 100 };

/** A place behind the door. */
export interface Admitted extends Ticket {
  /** When the peer came, monotonic ms: every deadline of its handshakes begins here. */
  readonly sinceMs: number;
}

/** What a door works with. */
export interface DoorDeps {
  readonly clock: Clock;
  readonly meter: Meter;
}

/** Counts, paces and tells, for all transports together. */
export class Door {
  /** The turns of costly handshakes. */
  readonly gate: HandshakeGate;
  /** From accepting a peer to its SetupConnection, ms; a transport's own handshake is within it. */
  readonly handshakeTimeoutMs: number;
  readonly #deps: DoorDeps;
  readonly #admission: Admission;
  readonly #lines: TokenBucket;

  /** Throws `Fault("network-invalid")` for a limit's network that cannot be read. */
  constructor(deps: DoorDeps, limits: ServerLimits) {
    this.#deps = deps;
    this.#admission = new Admission({}, limits);
    const burst = Math.max(1, Math.ceil(limits.handshakesPerSecond / 20));
    this.gate = new HandshakeGate(deps, { perSecond: limits.handshakesPerSecond, burst });
    this.handshakeTimeoutMs = limits.handshakeTimeoutMs;
    this.#lines = new TokenBucket(CONNECTION_LINES, deps.clock.monotonicMs());
  }

  /** Gives the peer a place, which its owner releases, or `undefined`: it is to be closed before a byte of it is read. */
  admit(remoteAddress: string): Admitted | undefined {
    const ticket = this.#admission.admit(remoteAddress);
    if (typeof ticket === "string") {
      this.#deps.meter.count("connections_refused_total", 1, { reason: ticket });
      return undefined;
    }
    return { ...ticket, sinceMs: this.#deps.clock.monotonicMs() };
  }

  /** Whether one more line about peers may be written at a level that operators read. */
  tryTell(): boolean {
    return this.#lines.tryTake(this.#deps.clock.monotonicMs());
  }

  /** Counts a peer that was closed for `fault` before it had a session, and tells of it while there is room in the log. */
  turnedAway(log: Log, fault: Fault): void {
    this.#deps.meter.count("connections_dropped_total", 1, { code: fault.code });
    log[this.tryTell() ? "info" : "debug"](`connection closed: ${describe(fault)}`, { code: fault.code, error: fault });
  }
}
