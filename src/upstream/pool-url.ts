/**
 * Addresses of pools as operators paste them. Besides the forms of `client/url.ts` there is `stratum+tcp://host:port`, what pools of
 * Stratum V1 publish and what people write out of habit: nobody can tell from it what is spoken there, so it is tried.
 */
import { parseServerUrl, type ServerAddress } from "../client/url.ts";

/** A pool's address. */
export interface PoolAddress extends ServerAddress {
  /** The text did not say which version of Stratum is spoken there: it is mined for if it is V2, and told if it is V1. */
  readonly probed: boolean;
}

const UNSAID = /^stratum\+tcp:\/\//;

/** Reads a pool's address. Throws as `parseServerUrl`. */
export function parsePoolUrl(text: string): PoolAddress {
  const address = parseServerUrl(text.replace(UNSAID, "stratum2+tcp://"));
  return { ...address, probed: UNSAID.test(text) };
}
