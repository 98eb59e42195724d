/**
 * All rules of the contract as checks that any test runner can run: each has a stable name, a sentence and a `run` that resolves
 * or rejects. They run in real time, one after the other; a plugin that keeps the rules takes some ten seconds.
 */
import { describe } from "../kernel/fault.ts";
import type { ChainPlugin } from "../merge/plugin.ts";
import { Bench, type BenchOptions } from "./bench.ts";
import { Broken } from "./broken.ts";
import { KitFailure } from "./failure.ts";
import { Footprint } from "./footprint.ts";
import { LooseEnds } from "./loose-ends.ts";
import type { Rehearsal } from "./rehearsal.ts";
import { COMMITMENT_RULES } from "./rules/commitments.ts";
import { CONDUCT_RULES } from "./rules/conduct.ts";
import { CONFIG_RULES } from "./rules/config.ts";
import { LIFECYCLE_RULES } from "./rules/lifecycle.ts";
import { METADATA_RULES } from "./rules/metadata.ts";
import { OFFER_RULES } from "./rules/offers.ts";
import type { Rule } from "./rules/rule.ts";
import { STATUS_RULES } from "./rules/status.ts";
import { SUBMISSION_RULES } from "./rules/submissions.ts";
import { Witness } from "./witness.ts";

/** All rules, in the order in which they are checked. */
export const RULES: readonly Rule[] = [
  ...METADATA_RULES,
  ...CONFIG_RULES,
  ...LIFECYCLE_RULES,
  ...OFFER_RULES,
  ...COMMITMENT_RULES,
  ...SUBMISSION_RULES,
  ...STATUS_RULES,
  ...CONDUCT_RULES,
];

/** What the kit may be told besides plugin and rehearsal. */
export interface KitOptions {
  /** The plugin's parsed `package.json`; without it the rule `package` is left out. */
  readonly packageJson?: unknown;
  /** Name of the chain in the checks; the plugin's name when left out. */
  readonly chain?: string;
  /** Folder that relative paths in the configuration start from, absolute; the current one when left out. */
  readonly folder?: string;
  /** How long the plugin may take for anything, ms; 5000 when left out. */
  readonly withinMs?: number;
}

/** One check, ready to run. */
export interface KitCheck {
  /** Stable name of the rule, e.g. `submit-hung`. */
  readonly rule: string;
  /** What the rule demands, as a sentence about the plugin. */
  readonly says: string;
  /** Why this check has nothing to do for this chain, in the rehearsal's words; it resolves at once. `undefined` otherwise. */
  readonly leftOut: string | undefined;
  /** Resolves when the rule holds; rejects with a `KitFailure` when not. Checks must run one at a time, in order. */
  run(): Promise<void>;
}

/** How one check went. */
export interface KitResult {
  readonly rule: string;
  readonly says: string;
  /** `blocked`: another rule must hold first. */
  readonly outcome: "passed" | "failed" | "blocked" | "left out";
  /** What was seen, or why it was left out; empty when it passed. */
  readonly seen: string;
  /** What to do; empty unless it failed. */
  readonly advice: string;
  /** The rule that stands in the way of a blocked one. */
  readonly blockedBy: string | undefined;
  readonly durationMs: number;
}

/** How all checks went. */
export interface KitReport {
  readonly plugin: string;
  /** Whether no check failed or was blocked. */
  readonly ok: boolean;
  readonly results: readonly KitResult[];
  readonly durationMs: number;
}

const WITHIN_MS = 5000;

/** The checks of `plugin`, in order. */
export function checks(plugin: ChainPlugin, rehearsal: Rehearsal, options: KitOptions = {}): readonly KitCheck[] {
  const shared = { plugin, rehearsal, witness: new Witness(), looseEnds: new LooseEnds(), obstacles: new Map() };
  const settled: BenchOptions = {
    chain: options.chain ?? String(plugin?.name),
    folder: options.folder ?? process.cwd(),
    withinMs: options.withinMs ?? WITHIN_MS,
    packageJson: options.packageJson,
  };
  return RULES.map((rule): KitCheck => {
    const leftOut = reasonToLeaveOut(rule, rehearsal, options);
    const run = async (): Promise<void> => {
      if (leftOut === undefined) await judge(rule, shared, settled);
    };
    return { rule: rule.id, says: rule.says, leftOut, run };
  });
}

/** Runs all checks of `plugin`; `onResult` hears of each as it ends. Rejects only on the kit's own mistakes. */
export async function runChecks(
  plugin: ChainPlugin,
  rehearsal: Rehearsal,
  options: KitOptions & { readonly onResult?: (result: KitResult) => void } = {},
): Promise<KitReport> {
  const startedMs = performance.now();
  const results: KitResult[] = [];
  for (const check of checks(plugin, rehearsal, options)) {
    const result = await resultOf(check);
    results.push(result);
    options.onResult?.(result);
  }
  const ok = results.every(({ outcome }) => outcome === "passed" || outcome === "left out");
  return { plugin: String(plugin?.name), ok, results, durationMs: performance.now() - startedMs };
}

async function resultOf(check: KitCheck): Promise<KitResult> {
  const { rule, says, leftOut } = check;
  const startedMs = performance.now();
  const base = { rule, says, seen: "", advice: "", blockedBy: undefined };
  try {
    await check.run();
    const durationMs = performance.now() - startedMs;
    return leftOut === undefined
      ? { ...base, outcome: "passed", durationMs }
      : { ...base, outcome: "left out", seen: leftOut, durationMs };
  } catch (error) {
    if (!(error instanceof KitFailure)) throw error;
    const { seen, advice, blockedBy } = error;
    const outcome = blockedBy === undefined ? "failed" : "blocked";
    return { ...base, outcome, seen, advice, blockedBy, durationMs: performance.now() - startedMs };
  }
}

function reasonToLeaveOut(rule: Rule, { without = {} }: Rehearsal, options: KitOptions): string | undefined {
  if (rule.id === "package" && options.packageJson === undefined) return "no package.json was handed over";
  const [lacked] = (rule.needs ?? [])
    .map((ability) => without[ability] ?? without.daemon)
    .filter((why) => why !== undefined);
  return lacked;
}

async function judge(
  rule: Rule,
  shared: Pick<Bench, "plugin" | "rehearsal" | "witness" | "looseEnds" | "obstacles">,
  options: BenchOptions,
): Promise<void> {
  const footprint = new Footprint();
  try {
    await shared.looseEnds.during(footprint, () => rule.check(new Bench({ ...shared, footprint }, options)));
  } catch (error) {
    throw failureOf(rule, error);
  } finally {
    footprint.close();
  }
}

function failureOf(rule: Rule, error: unknown): KitFailure {
  if (error instanceof Broken && error.rule === rule.id) {
    return new KitFailure({ rule: rule.id, seen: error.message, advice: rule.advice }, { cause: error.cause });
  }
  const blockedBy = error instanceof Broken ? error.rule : "rehearsal";
  const seen = error instanceof Broken ? error.message : describe(error);
  const advice = RULES.find(({ id }) => id === blockedBy)?.advice ?? "";
  if (blockedBy === rule.id) return new KitFailure({ rule: rule.id, seen, advice }, { cause: error });
  return new KitFailure({ rule: rule.id, seen, advice, blockedBy }, { cause: error });
}
