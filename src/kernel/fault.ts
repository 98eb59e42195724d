/**
 * Every failure that the program expects has a code here, and each code says who has to act and what helps.
 * `docs/faults.md` is generated from the table; a test keeps both in step. A code that is no longer thrown stays
 * listed in `RETIRED`, so that an old log line can still be looked up and no code changes its meaning.
 */
import { BITCOIN_FAULTS } from "./faults/bitcoin.ts";
import { BLLVM_FAULTS } from "./faults/bllvm.ts";
import { BYTES_FAULTS } from "./faults/bytes.ts";
import { CONFIG_FAULTS } from "./faults/config.ts";
import { DEVNET_FAULTS } from "./faults/devnet.ts";
import { HOST_FAULTS } from "./faults/host.ts";
import { KIT_FAULTS } from "./faults/kit.ts";
import { LEDGER_FAULTS } from "./faults/ledger.ts";
import { LIFECYCLE_FAULTS } from "./faults/lifecycle.ts";
import { MERGE_FAULTS } from "./faults/merge.ts";
import { MINING_FAULTS } from "./faults/mining.ts";
import { NODE_FAULTS } from "./faults/node.ts";
import { PAYOUT_FAULTS } from "./faults/payout.ts";
import { POOL_FAULTS } from "./faults/pool.ts";
import { REPORT_FAULTS } from "./faults/reports.ts";
import { SDK_FAULTS } from "./faults/sdk.ts";
import { SV2_FAULTS } from "./faults/sv2.ts";
import { TEMPLATE_FAULTS } from "./faults/templates.ts";
import { UPSTREAM_FAULTS } from "./faults/upstream.ts";

/** All fault codes with their rows. */
export const FAULTS = {
  ...BITCOIN_FAULTS,
  ...BLLVM_FAULTS,
  ...BYTES_FAULTS,
  ...CONFIG_FAULTS,
  ...DEVNET_FAULTS,
  ...HOST_FAULTS,
  ...KIT_FAULTS,
  ...LEDGER_FAULTS,
  ...LIFECYCLE_FAULTS,
  ...MERGE_FAULTS,
  ...MINING_FAULTS,
  ...NODE_FAULTS,
  ...PAYOUT_FAULTS,
  ...POOL_FAULTS,
  ...REPORT_FAULTS,
  ...SDK_FAULTS,
  ...SV2_FAULTS,
  ...TEMPLATE_FAULTS,
  ...UPSTREAM_FAULTS,
} as const;

/** Codes that older versions logged; never to be used again. */
export const RETIRED: readonly string[] = ["config-pool-mode"];

/** A code of the fault table. */
export type FaultCode = keyof typeof FAULTS;

/** Facts that go with a fault into the log: plain values, never a secret. */
export type FaultData = Readonly<Record<string, string | number | bigint | boolean | undefined>>;

/** An expected failure: a code of the table, the facts of this case and what caused it. */
export class Fault extends Error {
  readonly code: FaultCode;
  readonly data: FaultData;

  constructor(code: FaultCode, data: FaultData = {}, options?: { cause?: unknown }) {
    super(sentence(code, data), options);
    this.name = "Fault";
    this.code = code;
    this.data = data;
  }

  /** Who has to act. */
  get act(): (typeof FAULTS)[FaultCode]["act"] {
    return FAULTS[this.code].act;
  }

  /** What that person can do, in words. */
  get help(): string {
    return FAULTS[this.code].help;
  }
}

/** What happened, with the facts in brackets: `a read went past the end of the data (wanted 4, remaining 1)`. */
function sentence(code: FaultCode, data: FaultData): string {
  const facts = Object.entries(data)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${String(value)}`);
  return facts.length === 0 ? FAULTS[code].what : `${FAULTS[code].what} (${facts.join(", ")})`;
}

/** `error` as one line for a log or a terminal, its causes behind it; one that the line quotes already is not said again. */
export function describe(error: unknown): string {
  const parts: string[] = [];
  let at: unknown = error;
  for (let depth = 0; at !== undefined && depth < 5; depth += 1) {
    const text = at instanceof Error ? at.message : textOf(at);
    if (!parts.some((part) => part.includes(text))) parts.push(text);
    at = at instanceof Error ? at.cause : undefined;
  }
  return parts.join(": ");
}

/** Anything can be thrown, also what has no text. */
function textOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return "something without a text";
  }
}
