/**
 * The node's limits of requests, per module id: 100 in a wall-clock second (`security/validator.rs`), and a bucket of 1,000
 * that gains 100 a second (`api/hub.rs`; declared there, and at HEAD never asked, so the window is what is met first).
 */

const PER_SECOND = 100;
const BURST = 1000;

interface Account {
  second: number;
  inSecond: number;
  tokens: number;
  refilledMs: number;
}

/** Counts requests. */
export class RateLimits {
  readonly #nowMs: () => number;
  readonly #accounts = new Map<string, Account>();

  constructor(deps: { readonly nowMs: () => number }) {
    this.#nowMs = deps.nowMs;
  }

  /** Counts one request of `moduleId`; whether it is within the limits. */
  take(moduleId: string): boolean {
    const nowMs = this.#nowMs();
    const second = Math.floor(nowMs / 1000);
    const account = this.#accounts.get(moduleId) ?? { second, inSecond: 0, tokens: BURST, refilledMs: nowMs };
    this.#accounts.set(moduleId, account);
    if (account.second !== second) Object.assign(account, { second, inSecond: 0 });
    account.tokens = Math.min(BURST, account.tokens + ((nowMs - account.refilledMs) * PER_SECOND) / 1000);
    account.refilledMs = nowMs;
    if (account.inSecond >= PER_SECOND || account.tokens < 1) return false;
    account.inSecond++;
    account.tokens--;
    return true;
  }
}
