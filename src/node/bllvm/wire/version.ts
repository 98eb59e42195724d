/**
 * Which schema a node speaks. Nothing on the wire says so, and the version in its `HandshakeAck` is the crate's, which lags
 * behind the tags: a node built from git calls itself 0.1.13 from v0.1.21 on, and all of the oldest call themselves 0.1.0.
 * So the answer is an ordered list: the first is to be used, the next where the node closes the connection at a request.
 * What every mining module needs (handshake, subscription to mining events, chain reads) is the same in all but N0, or read
 * alike.
 */
import type { Schema } from "./schema.ts";

/** What is known about a node. */
export interface NodeFacts {
  /**
   * How we meet the node: `legacy` it started us with `--module-id` and `--socket-path`, as N0 to N2 do; `socket` by
   * `SOCKET_PATH` or an address in the configuration.
   */
  readonly family: "legacy" | "socket";
  /** `node_version` of the HandshakeAck; `undefined` before it, which is written alike in every schema. */
  readonly nodeVersion: string | undefined;
  /** `bllvm.wire` of the configuration. */
  readonly wire: Schema | "auto";
}

/** First patch of 0.1.x, and what nodes from there on speak. */
const BY_PATCH: readonly (readonly [patch: number, schemas: readonly Schema[]])[] = [
  // v0.1.5 built from git still calls itself 0.1.0.
  [0, ["s1", "s2"]],
  [1, ["s1"]],
  [5, ["s2"]],
  // v0.1.9 and v0.1.10 built from git both call themselves 0.1.8.
  [8, ["s2", "s3"]],
  [9, ["s2"]],
  [10, ["s3"]],
  // 0.1.54 and 0.1.55 declare the same, 0.1.56 does not.
  [56, ["s4"]],
  [74, ["s5"]],
  // Not seen: the newest is the likeliest, and the next is tried where the node closes the connection.
  [84, ["s5", "s4", "s3"]],
];

/** The schemas that the node may speak, the likeliest first; never empty. */
export function schemaCandidates({ family, nodeVersion, wire }: NodeFacts): readonly Schema[] {
  if (wire !== "auto") return [wire];
  // N1 and N2 differ in little that we use, and N1 does not compile as it was committed.
  if (family === "legacy") return ["n2", "n1", "n0"];
  const version = /^(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?![\d.])/.exec(nodeVersion ?? "");
  if (version === null) return ["s3", "s2", "s1"];
  const [major, minor, patch] = version.slice(1).map(Number) as [number, number, number];
  if (major > 0 || minor > 1) return ["s5", "s4", "s3"];
  if (minor < 1) return ["s1", "s2"];
  return BY_PATCH.findLast(([first]) => first <= patch)?.[1] ?? ["s3"];
}
