/**
 * Keeps one connection to the node: connects again with growing pauses, stays away while it should, and waits without an end where the
 * node lets it wait. It knows nothing of messages.
 */
import type { Files } from "../../../daemon/files.ts";
import type { ConnectUnix } from "../../../daemon/socket.ts";
import type { Clock, Timer } from "../../../kernel/clock.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Random } from "../../../kernel/random.ts";
import type { BllvmPhase } from "../bllvm-node.ts";
import { Backoff } from "./backoff.ts";
import { Connection, type ConnectionOptions, type EndReason } from "./connection.ts";
import { HOLD_POLL_MS, Hold } from "./hold.ts";
import { CLOSING, FIRST_DELAY, held, STARVING, trouble } from "./trouble.ts";

/** Pauses before connecting again, ms. */
const PAUSE = { firstMs: 500, mostMs: 30_000 } as const;
/** Ms from the handshake to its answer after which we say that we wait. */
const STARVING_MS = 3_000;
/** A connection that was served for so long was good, ms: the next pause is a short one. */
const GOOD_MS = 10_000;
/** Ms that a node which said that it stops is waited for, beyond the time that it named. */
const CLOSING_MS = 30_000;
/** Ms that a stop waits for the answer to a handshake. */
const STOP_MS = 2_000;
/** Longest time that it may name, s. */
const MOST_CLOSING_S = 60;

/** What a link needs. */
export interface LinkDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly connect: ConnectUnix;
  readonly files: Pick<Files, "read">;
  readonly log: Log;
}

/** Where to, as whom, and when not. */
export interface LinkOptions extends Omit<ConnectionOptions, "handshakeId"> {
  /** While it exists we keep away. */
  readonly holdFile?: string | undefined;
  /** Ms before the first connection. */
  readonly firstConnectDelayMs?: number | undefined;
}

/** What a link tells, and what it is told. */
export interface LinkEvents {
  /** An id for the handshake of a new connection. */
  handshakeId(): bigint;
  /** Phase or trouble changed. */
  onPhase(): void;
  /** The socket opened, so the node is there. */
  onOpen(): void;
  /** The node took the handshake; the link counts as up when `up` is called. */
  onServed(connection: Connection, nodeVersion: string): void;
  onPayload(payload: Uint8Array): void;
  /** A connection ended. */
  onEnd(reason: EndReason, error: Error | undefined): void;
}

/** One lasting connection. */
export class Link {
  readonly #deps: LinkDeps;
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #backoff: Backoff;
  readonly #hold: Hold | undefined;
  #connection: Connection | undefined;
  /** The one timer of the phase that we are in: the next attempt, or how long to wait for the node. */
  #timer: Timer | undefined;
  #holdTimer: Timer | undefined;
  #phase: BllvmPhase = "down";
  #sinceMs: number;
  #endedMs = Number.NEGATIVE_INFINITY;
  #trouble: string | undefined;
  #isStopped = false;
  /** Why the connection is to be closed as soon as its handshake is answered. */
  #leaving: "held" | "stopped" | undefined;
  #onGone: (() => void) | undefined;

  constructor(deps: LinkDeps, options: LinkOptions, events: LinkEvents) {
    this.#deps = deps;
    this.#options = options;
    this.#events = events;
    this.#backoff = new Backoff(deps, PAUSE);
    this.#hold = options.holdFile === undefined ? undefined : new Hold(deps, { path: options.holdFile });
    this.#sinceMs = deps.clock.monotonicMs();
  }

  get phase(): BllvmPhase {
    return this.#phase;
  }

  /** Monotonic ms of the phase's beginning. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get trouble(): string | undefined {
    return this.#trouble;
  }

  /** Begins. Call once. */
  start(): void {
    const { holdFile, firstConnectDelayMs = 0 } = this.#options;
    if (holdFile !== undefined) {
      this.#holdTimer = this.#deps.clock.every(HOLD_POLL_MS, () => void this.#watchHold(holdFile));
    }
    if (firstConnectDelayMs > 0) {
      this.#enter("held", FIRST_DELAY);
      this.#in(firstConnectDelayMs, () => void this.#attempt());
    } else {
      void this.#attempt();
    }
  }

  /**
   * Connects no more, and resolves when the connection is closed. One whose handshake waits for its answer is closed when that is
   * there, or after two seconds: what then happens to the node's other modules we cannot help, as the process ends.
   */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#holdTimer?.cancel();
    this.#timer?.cancel();
    const connection = this.#connection;
    if (connection !== undefined) {
      await new Promise<void>((resolve) => {
        this.#onGone = resolve;
        this.#leave("stopped");
        if (this.#connection !== undefined) this.#in(STOP_MS, () => connection.end("stopped"));
      });
    }
    this.#enter("down", undefined);
  }

  /** The session stands. */
  up(): void {
    if (this.#connection === undefined || this.#phase === "closing") return;
    this.#timer?.cancel();
    this.#enter("up", undefined);
  }

  /** The node said that it stops, within `timeoutS` seconds. We wait for its end, though not for ever: others can say so too. */
  closing(timeoutS: number): void {
    const connection = this.#connection;
    if (connection === undefined || this.#phase === "closing") return;
    this.#enter("closing", CLOSING);
    this.#in(Math.min(timeoutS, MOST_CLOSING_S) * 1000 + CLOSING_MS, () =>
      connection.end("fault", new Fault("bllvm-away", { reason: "it said that it stops, and did not" })),
    );
  }

  async #attempt(): Promise<void> {
    const { holdFile } = this.#options;
    if (holdFile !== undefined && (await this.#hold?.isOn())) {
      if (this.#isStopped) return;
      this.#enter("held", held(holdFile));
      this.#in(HOLD_POLL_MS, () => void this.#attempt());
      return;
    }
    // Somebody may have stopped us, or a connection may have come about, while the disk was looked at.
    if (!this.#isStopped && this.#connection === undefined) this.#connect();
  }

  #connect(): void {
    const waitMs = this.#endedMs + PAUSE.firstMs - this.#deps.clock.monotonicMs();
    if (waitMs > 0) {
      this.#in(waitMs, () => void this.#attempt());
      return;
    }
    this.#timer?.cancel();
    this.#enter("connecting", this.#trouble);
    const handshakeId = this.#events.handshakeId();
    const connection = new Connection(
      { connect: this.#deps.connect },
      { ...this.#options, handshakeId },
      {
        onOpen: () => {
          if (this.#leaving === undefined) this.#in(STARVING_MS, () => this.#enter("starving", STARVING));
          this.#events.onOpen();
        },
        onServed: (nodeVersion) => {
          this.#timer?.cancel();
          if (this.#leaving !== undefined) return connection.end(this.#leaving);
          if (this.#phase === "starving") this.#enter("connecting", undefined);
          this.#events.onServed(connection, nodeVersion);
        },
        onPayload: (payload) => this.#events.onPayload(payload),
        onEnd: (reason, error) => this.#onEnd(reason, error),
      },
    );
    this.#connection = connection;
    connection.open();
  }

  #onEnd(reason: EndReason, error: Error | undefined): void {
    const { clock } = this.#deps;
    const wasGood =
      this.#phase === "closing" || (this.#phase === "up" && clock.monotonicMs() - this.#sinceMs >= GOOD_MS);
    if (wasGood) this.#backoff.reset();
    this.#timer?.cancel();
    this.#connection = undefined;
    this.#leaving = undefined;
    this.#endedMs = clock.monotonicMs();
    this.#events.onEnd(reason, error);
    this.#onGone?.();
    if (this.#isStopped) return;
    const { path, holdFile } = this.#options;
    if (reason === "held" && holdFile !== undefined) {
      this.#enter("held", held(holdFile));
      this.#in(HOLD_POLL_MS, () => void this.#attempt());
    } else {
      this.#enter("down", trouble(path, reason, error));
      this.#in(this.#backoff.next(), () => void this.#attempt());
    }
  }

  async #watchHold(holdFile: string): Promise<void> {
    if (this.#connection === undefined || !(await this.#hold?.isOn())) return;
    if (this.#leaving !== undefined || this.#isStopped) return;
    this.#leave("held");
    if (this.#connection === undefined) return;
    this.#timer?.cancel();
    this.#enter("held", held(holdFile));
  }

  #leave(reason: "held" | "stopped"): void {
    if (this.#connection?.isServed) this.#connection.end(reason);
    else this.#leaving = reason;
  }

  #enter(phase: BllvmPhase, words: string | undefined): void {
    if (phase === this.#phase && words === this.#trouble) return;
    if (phase !== this.#phase) this.#sinceMs = this.#deps.clock.monotonicMs();
    this.#phase = phase;
    this.#trouble = words;
    this.#events.onPhase();
  }

  /** Replaces the timer. */
  #in(delayMs: number, run: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.after(delayMs, run);
  }
}
