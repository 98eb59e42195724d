/** The real clock and the real randomness, handed to everything else as ports. */
import { randomBytes } from "node:crypto";
import type { Clock } from "../kernel/clock.ts";
import type { Random } from "../kernel/random.ts";

/** Node's clocks and timers. Timers do not keep the process alive: sockets and servers do. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  after(delayMs, run) {
    const timer = setTimeout(run, delayMs);
    return { cancel: () => clearTimeout(timer) };
  },
  every(periodMs, run) {
    const timer = setInterval(run, periodMs);
    return { cancel: () => clearInterval(timer) };
  },
};

/** OpenSSL's generator, fetched in blocks because a call for four bytes costs as much as one for four thousand. */
export function systemRandom(): Random {
  const block = 4096;
  let pool = new Uint8Array(0);
  let used = 0;
  return {
    bytes(size) {
      if (size > block) return Uint8Array.from(randomBytes(size));
      if (used + size > pool.length) {
        pool = Uint8Array.from(randomBytes(block));
        used = 0;
      }
      const bytes = pool.slice(used, used + size);
      // What was handed out is not kept: a later memory dump holds no key that is in use.
      pool.fill(0, used, used + size);
      used += size;
      return bytes;
    },
  };
}
