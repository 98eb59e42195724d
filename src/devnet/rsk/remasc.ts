/**
 * What REMASC pays for a block `maturity` later, as logs of the paying block's last transaction: RSK Labs, the federation, those who
 * named siblings, the siblings' miners, at last the block's own. Rates from rskj's remasc.json; smoothing of fees is left out.
 */
import { concat, fromHex, utf8 } from "../../kernel/bytes.ts";
import type { RskBlock, RskChain } from "./chain.ts";
import { data, type JsonObject, quantity } from "./hex.ts";

const REMASC = "0x0000000000000000000000000000000001000008";
const LABS = `0x${"1a".repeat(20)}`;
const FEDERATION = `0x${"fe".repeat(20)}`;
const TOPIC = utf8("mining_fee_topic");
/** Generations within which a sibling is named. */
const NAMED_WITHIN = 10;

/** One payment. */
export interface RemascPayment {
  readonly to: string;
  readonly wei: bigint;
}

/** What `block` pays, and for which block; none where its chain is too short. */
export function paymentsOf(
  chain: RskChain,
  block: RskBlock,
  maturity: number,
): { readonly paid: RskBlock | undefined; readonly payments: readonly RemascPayment[] } {
  const paid = chain.isActive(block) ? chain.at(block.number - maturity) : undefined;
  if (paid === undefined || paid.paidFees === 0n) return { paid, payments: [] };
  const siblings = siblingsOf(chain, paid);
  const labs = paid.paidFees / 5n;
  const federation = (paid.paidFees - labs) / 100n;
  const rest = paid.paidFees - labs - federation;
  const payments = [
    { to: LABS, wei: labs },
    { to: FEDERATION, wei: federation },
  ];
  const forNaming = siblings.length === 0 ? 0n : rest / 10n / BigInt(siblings.length);
  const share = (rest - forNaming * BigInt(siblings.length)) / BigInt(siblings.length + 1);
  for (const { by } of siblings) payments.push({ to: by.miner, wei: forNaming });
  for (const { sibling, by } of siblings) {
    const late = BigInt(by.number - paid.number - 1);
    payments.push({ to: sibling.miner, wei: share - (share * 5n * late) / 100n });
  }
  payments.push({ to: paid.miner, wei: share });
  return { paid, payments };
}

/** The answer of eth_getTransactionReceipt for the REMASC transaction of `block`. */
export function receiptJson(chain: RskChain, block: RskBlock, maturity: number): JsonObject {
  const { paid, payments } = paymentsOf(chain, block, maturity);
  const common = { blockHash: block.hash, blockNumber: quantity(block.number), transactionHash: block.remasc };
  return {
    ...common,
    transactionIndex: "0x0",
    from: `0x${"00".repeat(20)}`,
    to: REMASC,
    gasUsed: "0x0",
    cumulativeGasUsed: "0x0",
    contractAddress: null,
    status: "0x1",
    logs: payments.map(({ to, wei }, i) => ({
      ...common,
      logIndex: quantity(i),
      transactionIndex: "0x0",
      address: REMASC,
      topics: [data(leftPadded(TOPIC)), data(leftPadded(fromHex(to.slice(2))))],
      data: data(rlp(fromHex((paid?.hash ?? "0x").slice(2)), wei)),
    })),
  };
}

function siblingsOf(chain: RskChain, paid: RskBlock): readonly { readonly sibling: RskBlock; readonly by: RskBlock }[] {
  const found: { sibling: RskBlock; by: RskBlock }[] = [];
  for (let number = paid.number + 1; number <= paid.number + NAMED_WITHIN; number++) {
    const by = chain.at(number);
    for (const hash of by?.uncles ?? []) {
      const sibling = chain.find(hash);
      if (by !== undefined && sibling?.number === paid.number) found.push({ sibling, by });
    }
  }
  return found;
}

/** RLP of a list of a hash and a number (Ethereum's yellow paper, appendix B); short enough for one byte of length. */
function rlp(hash: Uint8Array, number: bigint): Uint8Array {
  const hex = number === 0n ? "" : number.toString(16);
  const digits = fromHex(hex.length % 2 === 0 ? hex : `0${hex}`);
  const isByte = digits.length === 1 && (digits[0] ?? 0) < 0x80;
  const items = concat(
    Uint8Array.of(0x80 + hash.length),
    hash,
    isByte ? digits : concat(Uint8Array.of(0x80 + digits.length), digits),
  );
  return concat(Uint8Array.of(0xc0 + items.length), items);
}

function leftPadded(bytes: Uint8Array): Uint8Array {
  return concat(new Uint8Array(32 - bytes.length), bytes);
}
