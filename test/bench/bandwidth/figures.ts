/** What is measured of one stretch of mining in one protocol. */
import type { IpCount } from "./network.ts";
import type { Sum } from "./tally.ts";

/** The figures. Bytes are those of the TCP stream, so with everything that encryption adds, unless they are called IP. */
export interface Figures {
  /** From the miners to the pool, and back. */
  readonly upBytes: number;
  readonly downBytes: number;
  /** Everything both ways with the headers of IP and TCP; `undefined` where the packets are not ours alone. */
  readonly ip: IpCount | undefined;
  /** Shares and the answers to them, before a transport encrypts. */
  readonly shares: Sum;
  /** Jobs and what makes them valid. */
  readonly jobs: Sum;
  /** New difficulties without the jobs that SV2 repeats for them, which are among the jobs. */
  readonly targets: Sum;
  /** All messages, before a transport encrypts. */
  readonly plainBytes: number;
  /** Shares that were accepted, and those refused because they were late. */
  readonly accepted: number;
  readonly refused: number;
}
