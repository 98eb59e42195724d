/** What is measured of one stretch of mining in one protocol. Plain data: it crosses from one process to another. */
import type { IpCount } from "./network.ts";
import type { Sum } from "./tally.ts";

/** The figures. */
export interface Figures {
  /** Bytes of the stream from the miners to the pool, and back, with everything that encryption adds. */
  readonly upBytes: number;
  readonly downBytes: number;
  /** Everything both ways with the headers of IP and TCP; `undefined` where the packets are not ours alone. */
  readonly ip: IpCount | undefined;
  /** By SV2's names, for SV1 by those below. Noise counts, what a transport like TLS adds does not. */
  readonly messages: Readonly<Record<string, Sum>>;
  /** Shares that were accepted, and those refused because they were late. */
  readonly accepted: number;
  readonly refused: number;
}

const SHARES = ["SubmitSharesStandard", "SubmitSharesExtended", "SubmitSharesSuccess", "SubmitSharesError"];
const JOBS = ["NewMiningJob", "NewExtendedMiningJob", "SetNewPrevHash"];

/** Bytes of shares and the answers to them. */
export function shareBytes(figures: Figures): number {
  return bytesOf(figures, [...SHARES, "submit", "answer"]);
}

/** Bytes of jobs and what makes them valid, those that SV2 repeats for a new target among them. */
export function jobBytes(figures: Figures): number {
  return bytesOf(figures, [...JOBS, "notify"]);
}

function bytesOf({ messages }: Figures, names: readonly string[]): number {
  return names.reduce((sum, name) => sum + (messages[name]?.bytes ?? 0), 0);
}
