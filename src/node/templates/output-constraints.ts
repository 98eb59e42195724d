/**
 * What is reserved for our outputs at a provider (CoinbaseOutputConstraints, spec 7.1), and which templates leave so much. The protocol has no word for "from
 * here on". Providers answer changed constraints with a future template (sv2-tp, SRI's bitcoin_core_sv2), but a new block may come in between. So after
 * a change something is asked that is answered at once: a future template behind that answer was made for the new constraints, for each provider takes
 * its client's messages in order and sends nothing that was made for older ones. Until then a template is taken for the smaller of both.
 */
import type { Template } from "../../mining/template.ts";

/** Bytes of serialised outputs, and their sigops. */
export type OutputConstraints = Template["coinbaseRoom"];

/** The constraints of one connection. */
export class ConstraintsInForce {
  #inForce: OutputConstraints;
  /** Sent, and not yet answered by a future template. */
  #next: OutputConstraints | undefined;
  #isBarrierPassed = false;

  /** `first`: the constraints that the connection begins with; all its templates are made for them. */
  constructor(first: OutputConstraints) {
    this.#inForce = first;
  }

  /** What was sent last. */
  get sent(): OutputConstraints {
    return this.#next ?? this.#inForce;
  }

  /** Others were sent, and the question behind them. */
  change(next: OutputConstraints): void {
    // What is in force meanwhile is neither: the provider may be anywhere between them.
    this.#inForce = least(this.#inForce, this.sent);
    this.#next = next;
    this.#isBarrierPassed = false;
  }

  /** The question was answered. */
  answered(): void {
    this.#isBarrierPassed = true;
  }

  /** What a template that comes now leaves. */
  of(isFuture: boolean): OutputConstraints {
    if (this.#next === undefined) return this.#inForce;
    if (!isFuture || !this.#isBarrierPassed) return least(this.#inForce, this.#next);
    this.#inForce = this.#next;
    this.#next = undefined;
    return this.#inForce;
  }
}

function least(a: OutputConstraints, b: OutputConstraints): OutputConstraints {
  return { bytes: Math.min(a.bytes, b.bytes), sigops: Math.min(a.sigops, b.sigops) };
}
