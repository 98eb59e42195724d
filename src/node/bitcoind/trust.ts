/**
 * Which node work is taken from. Pure: facts about the nodes go in, a judgement of each and a choice come out, so that
 * every rule can be read and tested without a network.
 */
import { NETWORKS, type NetworkName, networkOfCoreName } from "../../bitcoin/network.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import { Fault } from "../../kernel/fault.ts";

/** A node's best block. */
export interface NodeTip {
  /** Display-order hex. */
  readonly hash: string;
  readonly height: number;
  /** Expected hashes of the chain; `undefined` where the node does not tell. */
  readonly chainwork: bigint | undefined;
  /** Time of the header, Unix seconds; `undefined` where the node does not tell. */
  readonly timeS: number | undefined;
}

/** What is known about a node. Plain data. */
export interface NodeFacts {
  readonly node: string;
  /** The failure that keeps it from being used; `undefined` while it answers and gives templates. */
  readonly fault: Fault | undefined;
  /** Whether it was ever asked to the end. */
  readonly known: boolean;
  /** Core's name of its network. */
  readonly chain: string | undefined;
  /** E.g. `/Satoshi:31.1.0/`. */
  readonly version: string | undefined;
  readonly headers: number | undefined;
  readonly initialBlockDownload: boolean;
  /** Peers; `undefined` where the node does not tell. */
  readonly connections: number | undefined;
  readonly tip: NodeTip | undefined;
  /** Duration of the last health check's first call, ms. */
  readonly latencyMs: number | undefined;
  /** The node's clock minus ours, ms, to about a second. */
  readonly clockOffsetMs: number | undefined;
  /** Monotonic ms since which headers are ahead of blocks; `undefined` while they are not. */
  readonly catchingUpSinceMs: number | undefined;
  /** Monotonic ms since which another node has a better chain; `undefined` while none has. */
  readonly behindSinceMs: number | undefined;
}

/**
 * `trusted` work may be taken from it; `doubtful` only while no node is trusted; `unusable` not at all. `fault` says why
 * it is not trusted, `warnings` what else the operator should look at.
 */
export interface Judgement {
  readonly trust: "trusted" | "doubtful" | "unusable";
  readonly fault: Fault | undefined;
  readonly warnings: readonly Fault[];
}

/** Limits of the judgement. */
export interface TrustOptions {
  readonly network: NetworkName;
  /** How long a node may lack the best known block before others are preferred: blocks need seconds to spread. */
  readonly lagMs: number;
  /** How long headers may be ahead of blocks. */
  readonly catchUpMs: number;
  /** Age of the best block from which on it is said aloud, ms. */
  readonly staleTipMs: number;
}

/** Clocks that differ by more are named; header times may be two hours off, certificates and logs should not. */
const CLOCK_WARNING_MS = 60_000;
const FUTURE_TIP_MS = 2 * 3_600_000;

/** Judges one node. `nowMs` is wall time, `monotonicMs` monotonic. */
export function judge(
  facts: NodeFacts,
  options: TrustOptions,
  now: { readonly nowMs: number; readonly monotonicMs: number },
): Judgement {
  const { node } = facts;
  const isRegtest = options.network === "regtest";
  const isMainnet = options.network === "mainnet";
  const warnings: Fault[] = [];
  const result = (trust: Judgement["trust"], fault?: Fault): Judgement => ({ trust, fault, warnings });
  const lasts = (since: number | undefined, limit: number): boolean =>
    since !== undefined && now.monotonicMs - since >= limit;

  if (facts.fault !== undefined) return result("unusable", facts.fault);
  if (!facts.known || facts.tip === undefined) return result("unusable");
  const { tip, connections, headers } = facts;

  if (Math.abs(facts.clockOffsetMs ?? 0) > CLOCK_WARNING_MS) {
    warnings.push(new Fault("node-clock", { node, aheadSeconds: Math.round((facts.clockOffsetMs ?? 0) / 1000) }));
  }
  if (tip.timeS !== undefined && !isRegtest) {
    const ageMs = now.nowMs - tip.timeS * 1000;
    if (ageMs > options.staleTipMs) {
      warnings.push(new Fault("node-tip-old", { node, height: tip.height, minutes: Math.round(ageMs / 60_000) }));
    }
    if (-ageMs > FUTURE_TIP_MS) {
      warnings.push(new Fault("node-clock", { node, tipAheadMinutes: Math.round(-ageMs / 60_000) }));
    }
  }
  if (connections === 0 && !isRegtest) {
    const alone = new Fault("node-no-peers", { node });
    if (isMainnet) return result("unusable", alone);
    // A private test network may well consist of one node.
    warnings.push(alone);
  }
  if (facts.initialBlockDownload && !isRegtest) {
    const syncing = new Fault("node-syncing", { node, height: tip.height, headers });
    // Core lets the test networks be mined in this state, which a private one leaves only with its next block.
    return result(isMainnet ? "unusable" : "doubtful", syncing);
  }
  if (lasts(facts.behindSinceMs, options.lagMs)) {
    return result("doubtful", new Fault("node-behind", { node, height: tip.height }));
  }
  if (lasts(facts.catchingUpSinceMs, options.catchUpMs)) {
    return result("doubtful", new Fault("node-catching-up", { node, height: tip.height, headers }));
  }
  return result("trusted");
}

/** Whether `tip` has less work than `other`; by height where a node does not tell its work. */
export function isBehind(tip: NodeTip, other: NodeTip): boolean {
  if (tip.hash === other.hash) return false;
  if (tip.chainwork !== undefined && other.chainwork !== undefined) return tip.chainwork < other.chainwork;
  return tip.height < other.height;
}

/** A node as the choice sees it, in order of preference. */
export interface Candidate {
  readonly trust: Judgement["trust"];
  /** Monotonic ms since which it has been trusted without a break; `undefined` while it is not. */
  readonly trustedSinceMs: number | undefined;
}

/**
 * The index of the node to take work from, `undefined` for none. The active one is left at once when it is less trusted
 * than another, but a preferred one is gone back to only after it was trusted for `failbackMs` without a break: a node that
 * comes and goes must not throw the miners about.
 */
export function choose(
  candidates: readonly Candidate[],
  active: number | undefined,
  options: { readonly failbackMs: number; readonly monotonicMs: number },
): number | undefined {
  const current = active === undefined ? undefined : candidates[active];
  for (const trust of ["trusted", "doubtful"] as const) {
    const settled = candidates.findIndex(
      (candidate) =>
        candidate.trust === trust &&
        (trust === "doubtful" || options.monotonicMs - (candidate.trustedSinceMs ?? Infinity) >= options.failbackMs),
    );
    const first = candidates.findIndex((candidate) => candidate.trust === trust);
    if (first < 0) continue;
    if (active === undefined || current?.trust !== trust) return settled >= 0 ? settled : first;
    // The active node stays unless a preferred one has proved itself.
    return trust === "trusted" && settled >= 0 && settled < active ? settled : active;
  }
  return undefined;
}

/**
 * Checks that a node is on `network`: by Core's name of its chain, and by its genesis block, since other coins name their
 * chains alike. Throws `Fault("node-wrong-network")`.
 */
export function checkNetwork(node: string, chain: string, genesis: string | undefined, network: NetworkName): void {
  const wanted = NETWORKS[network];
  if (chain !== wanted.coreName) {
    const found = networkOfCoreName(chain)?.name ?? chain.slice(0, 40);
    throw new Fault("node-wrong-network", { node, configured: network, found });
  }
  if (genesis !== undefined && genesis !== toDisplayHex(wanted.genesisHash)) {
    throw new Fault("node-wrong-network", { node, configured: network, found: "another coin", genesis });
  }
}
