/**
 * What REMASC, RSK's reward contract, paid for a block. It runs as the last transaction of each block and pays for the height that
 * is `maturity` blocks back: RSK Labs, the federation, those who published uncles of that height, the miners of those uncles and
 * at last the miner of the block itself. Each payment leaves a log with the receiver, the main block's hash and the amount in
 * wei; their order is what tells apart several payments to one address (rskj `Remasc.processMinersFees`).
 */
import { fromHex, toHex } from "bllvm-stratum-v2/plugin";

/** A log of a receipt, as far as it is read here. */
export interface ReceiptLog {
  readonly address: string;
  readonly topics: readonly string[];
  readonly data: string;
}

/** One payment. */
export interface Payment {
  /** Receiver, 40 hex digits in lower case. */
  readonly to: string;
  readonly wei: bigint;
}

const REMASC = "0000000000000000000000000000000001000008";
/** `mining_fee_topic` in ASCII; it stands in a word of 32 bytes. */
const TOPIC = "6d696e696e675f6665655f746f706963";

/** The payments for the main block `hash` (0x and 64 digits) among `logs`, in their order. A log that is none of them is passed over. */
export function paymentsFor(hash: string, logs: readonly ReceiptLog[]): readonly Payment[] {
  const payments: Payment[] = [];
  for (const { address, topics, data } of logs) {
    const [event, receiver] = topics;
    if (digits(address) !== REMASC || event === undefined || receiver === undefined) continue;
    if (digits(event).replaceAll(/^0+|0+$/g, "") !== TOPIC) continue;
    const paid = decode(data);
    if (paid?.hash === digits(hash)) payments.push({ to: digits(receiver).slice(-40), wei: paid.wei });
  }
  return payments;
}

/**
 * Which of `payments` is the one for a block itself: the last for the main block, and for the uncle that was published as number
 * `at` of `count` the one at that place before it. `undefined` when it is not to `miner` (0x and 40 digits).
 */
export function rewardOf(
  payments: readonly Payment[],
  miner: string,
  uncle?: { readonly at: number; readonly count: number },
): bigint | undefined {
  const at = payments.length - 1 - (uncle === undefined ? 0 : uncle.count - uncle.at);
  const payment = payments[at];
  return payment?.to === digits(miner) ? payment.wei : undefined;
}

/** RLP of a list of a 32-byte hash and a number, the only form that these logs have. */
function decode(data: string): { readonly hash: string; readonly wei: bigint } | undefined {
  if (!/^0x([0-9a-f]{2}){34,66}$/i.test(data)) return undefined;
  const bytes = fromHex(data.slice(2));
  // Up to 55 bytes of content the list has a head of one byte; more is one byte of length behind 0xf8.
  const head = bytes[0] === 0xf8 ? 2 : 1;
  const size = head === 2 ? bytes[1] : (bytes[0] ?? 0) - 0xc0;
  if (size !== bytes.length - head || bytes[head] !== 0xa0) return undefined;
  const hash = toHex(bytes.subarray(head + 1, head + 33));
  const number = bytes.subarray(head + 33);
  const first = number[0] ?? 0;
  if (number.length === 1 && first < 0x80) return { hash, wei: BigInt(first) };
  if (first - 0x80 !== number.length - 1) return undefined;
  return { hash, wei: number.length === 1 ? 0n : BigInt(`0x${toHex(number.subarray(1))}`) };
}

function digits(hex: string): string {
  return hex.replace(/^0x/i, "").toLowerCase();
}
