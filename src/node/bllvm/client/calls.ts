/**
 * All requests under way: the queue in front of the connection, the pace, who goes alone, and what an answer or the end of the
 * connection means for each. The node answers the requests of a connection one after the other and closes it at an error.
 */
import type { Clock, Timer } from "../../../kernel/clock.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { ResponsePayload } from "../wire/responses.ts";
import { Call, type CallOptions, type Outcome } from "./call.ts";
import type { Operation } from "./operations.ts";
import type { Pace } from "./pacing.ts";
import type { Suspicion } from "./suspicion.ts";
import { Waiting } from "./waiting.ts";

/** Requests that are under way at once. */
const MOST_LIVE = 16;
/** Requests without an answer after which the node counts as stuck. */
const MOST_UNANSWERED = 32;
/** Timeouts in a row, with not a byte from the node between them, after which it counts as stuck. */
const MOST_DEAF = 3;
/** Characters of the node's words that are kept. */
const MOST_WORDS = 300;

/** The served connection, as the calls need it. */
export interface Outlet {
  /** Writes the request, spelled as in the `attempt`th schema that may be right. */
  send(correlationId: bigint, request: CallOptions["request"], attempt: number): void;
  /** The node does not answer: the connection is worth nothing. */
  giveUp(reason: string): void;
}

/** An answer as it comes from the wire. */
export interface Answer {
  readonly success: boolean;
  readonly payload: ResponsePayload | null;
  readonly error: string | null;
}

/** What the calls need. */
export interface CallsDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly pace: Pace;
  readonly suspicion: Suspicion;
}

/** The requests of one client. */
export class Calls {
  readonly #deps: CallsDeps;
  readonly #waiting = new Waiting<Call>();
  /** Sent and not answered, in the order of sending; settled ones stay until the node answered or closed. */
  readonly #sent = new Map<bigint, Call>();
  #outlet: Outlet | undefined;
  #timer: Timer | undefined;
  #deaf = 0;
  #nextId = 0n;

  constructor(deps: CallsDeps) {
    this.#deps = deps;
  }

  /** Calls that wait or are under way. */
  get size(): number {
    return this.#waiting.size + this.#sent.size;
  }

  /** Makes a call. Rejects as `BllvmNode` says. */
  call(options: CallOptions): Promise<ResponsePayload> {
    const { name } = options.request;
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const refusal = this.#outlet === undefined ? new Fault("bllvm-away", { request: name }) : this.#refusal(name);
    if (refusal !== undefined) {
      this.#count(name, "refused");
      return Promise.reject(refusal);
    }
    const call = new Call({ clock: this.#deps.clock, onOutcome: this.#onOutcome }, options);
    if (this.#waiting.add(call)) this.#pump();
    else call.reject(new Fault("bllvm-queue-full", { request: name }), "refused");
    return call.promise;
  }

  /** A connection is served. Ids of requests never repeat, over all connections: a late answer meets nobody. */
  open(outlet: Outlet): void {
    this.#outlet = outlet;
    this.#deaf = 0;
  }

  /** Nothing may be sent any more; what is under way may still be answered. */
  mute(): void {
    this.#outlet = undefined;
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const call of this.#waiting.clear()) {
      call.reject(new Fault("bllvm-away", { request: call.operation }), "refused");
    }
  }

  /** The connection is gone; `byNode`: the node closed it, perhaps because of one of the requests. */
  close(byNode: boolean): void {
    this.mute();
    const unanswered = [...this.#sent.values()];
    this.#sent.clear();
    this.#deps.suspicion.closed(byNode ? unanswered.map(({ operation }) => operation) : []);
    for (const call of unanswered) {
      call.reject(new Fault("bllvm-request-closed", { request: call.operation, among: unanswered.length }), "closed");
    }
  }

  /** Something came from the node. */
  heard(): void {
    this.#deaf = 0;
  }

  /** How the request of that id was written; `undefined` when nothing with it is under way. */
  sentAs(correlationId: bigint): { readonly operation: Operation; readonly attempt: number } | undefined {
    const call = this.#sent.get(correlationId);
    return call?.sent === undefined ? undefined : { operation: call.operation, attempt: call.sent.attempt };
  }

  /** The node answered; `false` when nobody asked. */
  answer(correlationId: bigint, { success, payload, error }: Answer): boolean {
    const call = this.#sent.get(correlationId);
    if (call === undefined) return false;
    this.#sent.delete(correlationId);
    const { operation } = call;
    if (success && payload?.name === call.answer) {
      this.#deps.suspicion.answered(operation);
      call.resolve(payload);
    } else {
      if (success) this.#deps.suspicion.misspelled(operation);
      else this.#deps.suspicion.answered(operation);
      const words = success ? `an answer of another kind: ${payload?.name ?? "nothing"}` : (error ?? "no words");
      call.reject(
        new Fault("bllvm-request-failed", { request: operation, words: words.slice(0, MOST_WORDS) }),
        "failed",
      );
    }
    this.#pump();
    return true;
  }

  /** An id for a request, also for one that is no call: the handshake. */
  id(): bigint {
    this.#nextId += 1n;
    return this.#nextId;
  }

  #pump(): void {
    for (;;) {
      const call = this.#waiting.first();
      const outlet = this.#outlet;
      if (call === undefined || outlet === undefined) return;
      const admission = this.#deps.suspicion.admit(call.operation);
      if (!admission.may) {
        call.reject(this.#refusal(call.operation), "refused");
        continue;
      }
      const live = [...this.#sent.values()].filter(({ isSettled }) => !isSettled);
      if (live.length >= MOST_LIVE || live.some(({ sent }) => sent?.alone) || (admission.alone && live.length > 0))
        return;
      if (!this.#deps.pace.take()) {
        this.#timer ??= this.#deps.clock.after(this.#deps.pace.waitMs(), () => {
          this.#timer = undefined;
          this.#pump();
        });
        return;
      }
      this.#waiting.remove(call);
      call.sent = { attempt: admission.attempt, alone: admission.alone };
      const id = this.id();
      this.#sent.set(id, call);
      this.#send(outlet, id, call, admission.attempt);
    }
  }

  #send(outlet: Outlet, id: bigint, call: Call, attempt: number): void {
    try {
      outlet.send(id, call.request, attempt);
    } catch (error) {
      // A value that cannot be written is the asker's mistake and goes back to it.
      this.#sent.delete(id);
      call.reject(error, "refused");
    }
  }

  readonly #onOutcome = (call: Call, outcome: Outcome): void => {
    this.#count(call.operation, outcome);
    if (outcome === "answered" || outcome === "failed" || outcome === "closed") return;
    this.#waiting.remove(call);
    if (outcome === "timeout" && call.sent !== undefined) this.#deaf += 1;
    if (this.#deaf >= MOST_DEAF || this.#sent.size >= MOST_UNANSWERED) {
      this.#outlet?.giveUp("it does not answer");
    } else if (call.sent !== undefined) {
      // A call that nobody waits for keeps nobody else waiting.
      this.#pump();
    }
  };

  #refusal(request: Operation): Fault | undefined {
    const admission = this.#deps.suspicion.admit(request);
    if (admission.may) return undefined;
    if (admission.why === "unusable") return new Fault("bllvm-request-unusable", { request });
    return new Fault("bllvm-request-closed", { request, seconds: Math.ceil(admission.restMs / 1000) });
  }

  #count(request: Operation, outcome: Outcome): void {
    this.#deps.meter.count("bllvm_requests_total", 1, { request, outcome });
  }
}
