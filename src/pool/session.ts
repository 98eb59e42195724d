/**
 * One connection: bytes between a stream and a conversation, under limits. Whatever goes wrong in here, a peer's fault or
 * our own mistake, closes this connection and touches no other.
 *
 * - One deadline covers handshake, SetupConnection and required extensions; a second one silence; a third a peer that
 *   takes nothing of what it is sent. They are checked by `tick`, so that a session costs no timer.
 * - Frames sent in one turn leave in one write.
 * - A peer above its message rate is not dropped but read more slowly: its own TCP window fills up, an honest burst
 *   (a proxy that comes back with kept shares) loses nothing.
 */

import type { Clock, Timer } from "../kernel/clock.ts";
import { describe, Fault, type FaultCode } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Connection } from "../sv2/connection.ts";
import type { Frame } from "../sv2/frame.ts";
import type { Admitted, Door } from "./door.ts";
import { isClientHello, plainText } from "./foreign-protocol.ts";
import type { GatePlace } from "./handshake-gate.ts";
import { Outbox } from "./outbox.ts";
import { TokenBucket } from "./token-bucket.ts";
import type { Stream, StreamListener } from "./transport.ts";

/** What one peer may cost. */
export interface SessionLimits {
  /** Time from accepting a connection to its SetupConnection and required extensions, ms. */
  readonly handshakeTimeoutMs: number;
  /** Silence after which a connection is closed, ms. */
  readonly idleTimeoutMs: number;
  /** Bytes that may wait for a peer that reads too slowly. */
  readonly bufferBytes: number;
  /** Time without a byte taken while some are waiting, ms. */
  readonly stallTimeoutMs: number;
  /** Frames read per second, in the long run, beside those wanted; one counts again for each 256 bytes of payload. */
  readonly messagesPerSecond: number;
  /** Frames that may come at once on top of that. */
  readonly messageBurst: number;
}

/** What a session feeds. */
export interface Peer {
  /** Whether everything that the handshake deadline covers was done. */
  readonly open: boolean;
  /** Bytes that may wait for it on top of the limit, because we owe it as much at once. */
  readonly bytesOwed: number;
  /** Messages a second that we want of it on top of the limit: the shares of its channels. */
  readonly messagesWanted: number;
  /** Takes a frame; a returned fault closes the connection once everything sent has left, a thrown one at once. */
  receive(frame: Frame): Fault | undefined;
  /** The connection is gone or going: releases what it holds. Called once. */
  close(): void;
}

/** What a session works with. */
export interface SessionDeps<P extends Peer = Peer> {
  readonly stream: Stream;
  readonly connection: Connection;
  /** Makes the peer's other side; `send` takes whole plain frames, `waiting` tells how many bytes the peer has not taken. */
  readonly peer: (send: (frame: Uint8Array) => void, waiting: () => number) => P;
  /** Bytes that complete the act which costs CPU time, 64 for Noise; 0 for plain connections, which need no gate. */
  readonly costlyActSize: number;
  /** Where costly acts have their turns, and lines about closed connections their bound. */
  readonly door: Pick<Door, "gate" | "tryTell">;
  readonly ticket: Admitted;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  /** Told once the stream is closed. */
  readonly onGone: () => void;
  /** Told whenever bytes of an unfinished message wait in here. */
  readonly onUnfinished?: () => void;
}

/** A connection from accept to close. */
export class Session<P extends Peer = Peer> implements StreamListener {
  /** The peer's other side. */
  readonly peer: P;
  readonly #deps: SessionDeps<P>;
  readonly #limits: SessionLimits;
  readonly #bucket: TokenBucket;
  readonly #outbox: Outbox;
  readonly #startedMs: number;
  /** `draining`: we have said our last, the peer's last shares still count. `leaving`: nothing counts any more. */
  #state: "open" | "draining" | "leaving" | "gone" = "open";
  #leftMs = 0;
  #lastFrameMs: number;
  #held: Uint8Array[] | undefined;
  #place: GatePlace | undefined;
  #pastGate: boolean;
  #throttle: Timer | undefined;
  #guarded = false;
  #discardedBytes = 0;

  constructor(deps: SessionDeps<P>, limits: SessionLimits) {
    this.#deps = deps;
    this.#limits = limits;
    this.#startedMs = deps.ticket.sinceMs;
    const nowMs = deps.clock.monotonicMs();
    this.#lastFrameMs = nowMs;
    this.#pastGate = deps.costlyActSize === 0;
    this.#bucket = new TokenBucket({ perSecond: limits.messagesPerSecond, burst: limits.messageBurst }, nowMs);
    this.#outbox = new Outbox(deps, {
      limit: () => limits.bufferBytes + this.peer.bytesOwed,
      nowMs,
    });
    this.peer = deps.peer(
      (frame) => this.#send(frame),
      () => this.#outbox.waiting,
    );
    deps.stream.attach(this);
  }

  onData(bytes: Uint8Array): void {
    if (!this.listening) {
      this.#discard(bytes);
      return;
    }
    if (this.#held !== undefined) {
      this.#held.push(bytes);
      return;
    }
    this.guard(() => {
      if (!this.#pastGate && !this.#passGate(bytes)) return;
      this.#receive(bytes);
    });
  }

  onDrain(): void {
    this.#outbox.stalledMs(this.#deps.clock.monotonicMs());
  }

  onClose(cause: Error | undefined): void {
    if (cause !== undefined) this.#deps.log.debug(`connection lost: ${cause.message}`);
    this.#leave("gone");
    this.#deps.ticket.release();
    this.#deps.onGone();
  }

  /** Whether frames still come in and are judged. */
  get listening(): boolean {
    return this.#state === "open" || this.#state === "draining";
  }

  /** Bytes of an unfinished message that wait in here. */
  get unfinishedBytes(): number {
    return this.#deps.connection.buffered;
  }

  /** Runs `work` of this session: whatever it throws closes this session alone. Frames it sent leave before it returns. */
  guard(work: () => void): void {
    const outer = this.#guarded;
    this.#guarded = true;
    try {
      work();
      if (!outer) this.#flush();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#guarded = outer;
    }
  }

  /** Checks the deadlines; to be called about once a second. */
  tick(nowMs: number): void {
    if (this.#state === "gone") return;
    const limits = this.#limits;
    if (this.#state !== "open") {
      if (nowMs - this.#leftMs > limits.handshakeTimeoutMs) this.#deps.stream.destroy();
      return;
    }
    const stalledMs = this.#outbox.stalledMs(nowMs);
    if (!this.peer.open) {
      const elapsedMs = nowMs - this.#startedMs;
      if (elapsedMs > limits.handshakeTimeoutMs) this.#fail(this.#timeout("handshake-timeout", elapsedMs));
    } else if (nowMs - this.#lastFrameMs > limits.idleTimeoutMs) {
      this.#fail(this.#timeout("idle-timeout", nowMs - this.#lastFrameMs));
    } else if (stalledMs > limits.stallTimeoutMs) {
      this.#fail(new Fault("peer-not-reading", { waiting: this.#outbox.waiting, forMs: Math.round(stalledMs) }));
    }
  }

  /**
   * Says the last: nothing is sent after what waits now, but frames of the peer are judged until it closes its side too.
   * So a share that was on its way still counts.
   */
  drain(): void {
    if (this.#state !== "open") return;
    this.guard(() => undefined);
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.#leftMs = this.#deps.clock.monotonicMs();
    this.#deps.stream.end();
  }

  /** Closes at once, for the operator's reasons. */
  destroy(): void {
    this.#leave("leaving");
    this.#deps.stream.destroy();
  }

  /** Lets the first costly act through, or keeps it until its turn comes. */
  #passGate(bytes: Uint8Array): boolean {
    const { connection, costlyActSize, door, stream, ticket } = this.#deps;
    const looksLike = connection.buffered > 0 ? undefined : isClientHello(bytes) ? "TLS" : plainText(bytes);
    if (looksLike !== undefined) throw new Fault("not-stratum-v2", { looksLike });
    if (connection.buffered + bytes.length < costlyActSize) return true;
    this.#pastGate = true;
    this.#place = door.gate.enter(ticket.subscriber, () => this.#onTurn());
    if (this.#place === undefined) return true;
    this.#held = [bytes];
    stream.pause();
    return false;
  }

  #onTurn(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#place = undefined;
    this.guard(() => {
      for (const bytes of held) this.#receive(bytes);
    });
    if (this.listening && this.#throttle === undefined) this.#deps.stream.resume();
  }

  #receive(bytes: Uint8Array): void {
    const { connection, clock, meter } = this.#deps;
    const established = connection.established;
    const beganMs = clock.monotonicMs();
    const frames = connection.receive(bytes);
    for (let out = connection.output(); out !== undefined; out = connection.output()) this.#enqueue(out);
    if (!established && connection.established) {
      meter.observe("handshake_seconds", (clock.monotonicMs() - beganMs) / 1000);
      meter.count("handshakes_total", 1);
    }
    if (connection.buffered > 0) this.#deps.onUnfinished?.();
    if (frames.length === 0 || !this.listening) return;
    this.#lastFrameMs = beganMs;
    for (const frame of frames) {
      const farewell = this.peer.receive(frame);
      if (farewell !== undefined) {
        this.#farewell(farewell);
        return;
      }
    }
    connection.check();
    this.#slowDown(frames.reduce((sum, { payload }) => sum + 1 + (payload.length >>> 8), 0));
  }

  /**
   * What a refused peer still sends is read and thrown away, because closing on unread bytes is a TCP reset, which may
   * overtake the answer that says why. That grace has an end.
   */
  #discard(bytes: Uint8Array): void {
    this.#discardedBytes += bytes.length;
    if (this.#discardedBytes > this.#limits.bufferBytes) this.#deps.stream.destroy();
  }

  /** Charges the rate; in debt, reads nothing until it is paid. At most one read of the stream is ahead. */
  #slowDown(cost: number): void {
    const nowMs = this.#deps.clock.monotonicMs();
    // The bucket fills at the limit, so for a peer of whom more is wanted each message costs less.
    const { messagesPerSecond } = this.#limits;
    this.#bucket.charge(nowMs, (cost * messagesPerSecond) / (messagesPerSecond + this.peer.messagesWanted));
    const waitMs = this.#bucket.waitMs(nowMs);
    if (waitMs === 0 || this.#throttle !== undefined) return;
    if (cost > 0) this.#deps.log.debug("above its message rate: read more slowly", { waitMs: Math.ceil(waitMs) });
    this.#deps.stream.pause();
    this.#throttle = this.#deps.clock.after(Math.ceil(waitMs), () => {
      this.#throttle = undefined;
      this.#slowDown(0);
      if (this.#throttle === undefined) this.#deps.stream.resume();
    });
  }

  #send(frame: Uint8Array): void {
    // After the last word there is nobody to tell; an acknowledgement that cannot be sent does not undo the credit.
    if (this.#state === "open") this.#enqueue(this.#deps.connection.send(frame));
  }

  #enqueue(bytes: Uint8Array): void {
    // Sent from outside of a guarded call: it leaves with whatever else this turn sends.
    if (this.#outbox.empty && !this.#guarded) queueMicrotask(() => this.guard(() => undefined));
    this.#outbox.put(bytes);
  }

  #flush(): void {
    if (this.#state === "open" && !this.#outbox.flush()) {
      throw new Fault("peer-not-reading", { waiting: this.#outbox.waiting });
    }
  }

  #timeout(code: FaultCode, elapsedMs: number): Fault {
    return new Fault(code, { afterMs: Math.round(elapsedMs), established: this.#deps.connection.established });
  }

  /** Closes after an answer that says why. */
  #farewell(fault: Fault): void {
    this.#flush();
    this.#report(fault);
    this.#leave("leaving");
    this.#deps.stream.end();
  }

  /** Closes at once. */
  #fail(error: unknown): void {
    if (!this.listening) return;
    const expected = error instanceof Fault && error.act === "drop";
    this.#report(expected ? error : new Fault("session-failed", {}, { cause: error }));
    this.#leave("leaving");
    this.#deps.stream.destroy();
  }

  #report(fault: Fault): void {
    this.#deps.meter.count("connections_dropped_total", 1, { code: fault.code });
    const { door, connection } = this.#deps;
    const told = fault.code === "not-stratum-v2" || connection.established;
    const level = told && door.tryTell() ? "info" : "debug";
    this.#deps.log[fault.code === "session-failed" ? "error" : level](`connection closed: ${describe(fault)}`, {
      code: fault.code,
      error: fault,
    });
  }

  #leave(state: "leaving" | "gone"): void {
    const before = this.#state;
    this.#state = state;
    this.#leftMs = this.#deps.clock.monotonicMs();
    if (before === "leaving" || before === "gone") return;
    this.#outbox.clear();
    this.#held = undefined;
    this.#place?.leave();
    this.#throttle?.cancel();
    try {
      this.peer.close();
    } catch (error) {
      this.#deps.log.error(`closing a session failed: ${describe(error)}`, { error });
    }
  }
}
