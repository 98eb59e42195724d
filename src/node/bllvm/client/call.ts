/** One request on its way from whoever asks to the node's answer: settled exactly once, whatever comes first. */
import type { Clock, Timer } from "../../../kernel/clock.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { RequestPayload } from "../wire/requests.ts";
import type { ResponsePayload } from "../wire/responses.ts";
import type { Operation } from "./operations.ts";

/** What became of a call, for the meter. */
export type Outcome = "answered" | "failed" | "closed" | "timeout" | "aborted" | "refused";

/** What a call is about. */
export interface CallOptions {
  readonly request: RequestPayload & { readonly name: Operation };
  /** Name of the answer's payload. */
  readonly answer: ResponsePayload["name"];
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** A call and its promise. */
export class Call {
  readonly request: CallOptions["request"];
  readonly answer: CallOptions["answer"];
  readonly promise: Promise<ResponsePayload>;
  /** Set when it is sent. */
  sent: { readonly attempt: number; readonly alone: boolean } | undefined;
  readonly #resolve: (payload: ResponsePayload) => void;
  readonly #reject: (error: unknown) => void;
  readonly #onOutcome: (outcome: Outcome) => void;
  readonly #timer: Timer;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.reject(this.#signal?.reason, "aborted");
  #isSettled = false;

  /** `onOutcome` is called once, before the promise settles. */
  constructor(
    deps: { readonly clock: Clock; readonly onOutcome: (call: Call, outcome: Outcome) => void },
    { request, answer, timeoutMs, signal }: CallOptions,
  ) {
    this.request = request;
    this.answer = answer;
    const { promise, resolve, reject } = withResolvers<ResponsePayload>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#onOutcome = (outcome) => deps.onOutcome(this, outcome);
    this.#timer = deps.clock.after(timeoutMs, () =>
      this.reject(new Fault("node-timeout", { method: request.name, seconds: timeoutMs / 1000 }), "timeout"),
    );
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  get operation(): Operation {
    return this.request.name;
  }

  /** Nobody waits for it any more, though the node may still answer. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  resolve(payload: ResponsePayload): void {
    if (this.#settle("answered")) this.#resolve(payload);
  }

  reject(error: unknown, outcome: Outcome): void {
    if (this.#settle(outcome)) this.#reject(error);
  }

  #settle(outcome: Outcome): boolean {
    if (this.#isSettled) return false;
    this.#isSettled = true;
    this.#timer.cancel();
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#onOutcome(outcome);
    return true;
  }
}

/** `Promise.withResolvers`, which Node 20 lacks. */
function withResolvers<T>() {
  let resolve: (value: T) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<T>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
