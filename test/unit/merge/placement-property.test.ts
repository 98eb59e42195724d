/** Any set of declared outputs, against trial of every order by code that shares nothing with the placement. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseTransaction } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, utf8 } from "../../../src/kernel/bytes.ts";
import { composeJob } from "../../../src/merge/compose.ts";
import type { ChainCommitments } from "../../../src/merge/placement.ts";
import type { AuxPowCommitment, OutputCommitment } from "../../../src/merge/plugin.ts";
import { buildJob, type Job, type JobParts } from "../../../src/mining/job.ts";
import { payout } from "../../support/conversation.ts";
import { makeTemplate } from "../../support/fake-chain.ts";

const template = makeTemplate({ height: 840_000, prevHash: new Uint8Array(32) });

/** Bytes that chains look for. Some can arise where two outputs meet, or an output and the extranonce. */
const MARKS = [
  utf8("Hath"),
  utf8("RSKBLOCK:"),
  utf8("sys"),
  Uint8Array.of(0x42, 0, 0),
  Uint8Array.of(0x43, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0x6a),
  Uint8Array.of(0x41, 0x42),
  Uint8Array.of(20, 0x51),
] as const;
const mark = fc.constantFrom(...MARKS);
const FILLERS = ["", "00", "42", "43", "4142", "7b7c7d7e7f", "99".repeat(20)].map(fromHex);

const output = fc
  .record({
    parts: fc.array(fc.oneof(mark, fc.constantFrom(...FILLERS)), { minLength: 1, maxLength: 3 }),
    own: mark,
    maxBytesAfter: fc.option(fc.integer({ min: 40, max: 260 }), { nil: undefined }),
    side: fc.constantFrom("none", "first", "last", "both"),
    forbid: fc.option(mark, { nil: undefined, freq: 4 }),
  })
  .map(({ parts, own, maxBytesAfter, side, forbid }): OutputCommitment => {
    const data = side === "none" ? concat(...parts) : concat(own, ...parts);
    return {
      kind: "output",
      script: concat(Uint8Array.of(0x6a, data.length), data),
      ...(maxBytesAfter === undefined ? {} : { maxBytesAfter }),
      ...(side === "first" || side === "both" ? { first: own } : {}),
      ...(side === "last" || side === "both" ? { last: own } : {}),
      ...(forbid === undefined ? {} : { forbid }),
    };
  });

const work = (hash: Uint8Array) => ({ id: "w", hash, parent: "p", height: 1, target: 1n, value: 1n, details: {} });

/** One to five outputs among one to four chains, some with a leaf in the tree of AuxPoW chains too. */
const wanted = fc
  .array(
    fc.record({
      outputs: fc.array(output, { minLength: 1, maxLength: 2 }),
      leaf: fc.option(fc.constantFrom(new Uint8Array(32).fill(7), concat(utf8("RSKBLOCK:Hath"), new Uint8Array(19)))),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .filter((chains) => chains.reduce((sum, { outputs }) => sum + outputs.length, 0) <= 5)
  .map((chains) =>
    chains.map(({ outputs, leaf }, i): ChainCommitments => {
      const hash = leaf ?? new Uint8Array(32);
      const auxpow: AuxPowCommitment[] =
        leaf === null ? [] : [{ kind: "auxpow", chainId: i, hash, strictChainId: true }];
      return { chain: `chain-${i}`, work: work(hash), commitments: [...auxpow, ...outputs] };
    }),
  );

const setting = fc.record({
  tag: fc.constantFrom(utf8("/pool/"), utf8(""), utf8("a Hath b")),
  after: fc.constantFrom<string[]>(
    [],
    ["6a0373797a"],
    ["6a03737973"],
    ["6a0952534b424c4f434b3a"],
    ["6a2042".padEnd(68, "0")],
  ),
});

const partsOf = ({ tag, after }: { tag: Uint8Array; after: readonly string[] }): JobParts => {
  const outputs = [...template.coinbase.outputs, ...after.map((hex) => ({ value: 0n, script: fromHex(hex) }))];
  const adapted = { ...template, coinbase: { ...template.coinbase, outputs } };
  return { template: adapted, payout, tag, jobId: 1, nowMs: 1_700_000_000_000 };
};

type Kind = "max_bytes_after" | "occurrence" | "forbidden";
const KINDS: readonly Kind[] = ["max_bytes_after", "occurrence", "forbidden"];

/** Places of `part` that do not lie in the extranonce as a whole, for the extranonces that are worst for it. */
function placesOf(job: Job, part: Uint8Array): number[] {
  const size = job.extranonceSize;
  const from = job.coinbasePrefix.length;
  const worst = [new Uint8Array(size), new Uint8Array(size).fill(0xff)];
  for (let cut = 1; cut < part.length; cut++) {
    const start = new Uint8Array(size);
    start.set(part.subarray(cut).subarray(0, size));
    const end = new Uint8Array(size);
    end.set(part.subarray(0, cut).subarray(-size), Math.max(0, size - cut));
    worst.push(start, end);
  }
  const places = new Set<number>();
  for (const extranonce of worst) {
    const bytes = Buffer.from(concat(job.coinbasePrefix, extranonce, job.coinbaseSuffix));
    for (let at = bytes.indexOf(part); at !== -1; at = bytes.indexOf(part, at + 1)) {
      if (at < from || at + part.length > from + size) places.add(at);
    }
  }
  return [...places].sort((a, b) => a - b);
}

/** Whether the rules of `kinds` hold for all of `rules` in `job`. */
function holds(job: Job, rules: readonly OutputCommitment[], leaf: boolean, kinds: readonly Kind[]): boolean {
  const bytes = concat(job.coinbasePrefix, new Uint8Array(job.extranonceSize), job.coinbaseSuffix);
  const { outputs } = parseTransaction(bytes);
  const hex = (each: Uint8Array) => Buffer.from(each).toString("hex");
  return (
    rules.every((rule) => {
      const same = outputs.filter(({ script }) => hex(script) === hex(rule.script));
      const own = same[0]!.script;
      const offset = own.byteOffset - bytes.byteOffset;
      const after = bytes.length - offset - own.length;
      if (kinds.includes("max_bytes_after") && after > (rule.maxBytesAfter ?? Infinity)) return false;
      if (kinds.includes("forbidden") && rule.forbid !== undefined) {
        const forbid = Buffer.from(rule.forbid);
        if (outputs.some(({ script }) => script !== own && Buffer.from(script).includes(forbid))) return false;
      }
      if (!kinds.includes("occurrence")) return true;
      if (same.length !== 1) return false;
      for (const [part, side] of [[rule.first, "first"] as const, [rule.last, "last"] as const]) {
        if (part === undefined) continue;
        const script = Buffer.from(own);
        if (script.indexOf(part) !== script.lastIndexOf(part)) return false;
        const at = offset + script.indexOf(part);
        const places = placesOf(job, part);
        if ((side === "first" ? places[0] : places.at(-1)) !== at) return false;
      }
      return true;
    }) &&
    (!leaf || !kinds.includes("occurrence") || placesOf(job, fromHex("fabe6d6d")).length === 1)
  );
}

function* orders<T>(items: readonly T[]): Generator<T[]> {
  if (items.length === 0) yield [];
  for (const [i, item] of items.entries()) {
    for (const rest of orders(items.filter((_, j) => j !== i))) yield [item, ...rest];
  }
}

/** Whether any order of the outputs of `chains` keeps all rules of `kinds`. */
function placeable(parts: JobParts, chains: readonly ChainCommitments[], root: Uint8Array, kinds = KINDS): boolean {
  const rules = chains.flatMap(({ commitments }) => commitments.filter((each) => each.kind === "output"));
  const leaf = chains.some(({ commitments }) => commitments.some(({ kind }) => kind === "auxpow"));
  for (const order of orders(rules)) {
    const outputs = order.map(({ script }) => ({ value: 0n, script }));
    const job = buildJob({ ...parts, commitments: { outputs, ...(leaf ? { scriptSig: root } : {}) } });
    if (holds(job, rules, leaf, kinds)) return true;
  }
  return false;
}

/** Whether rules of `kind` are needed to make the chains impossible: some kinds together are, and without this one are not. */
function blames(parts: JobParts, chains: readonly ChainCommitments[], root: Uint8Array, kind: Kind): boolean {
  const others = KINDS.filter((each) => each !== kind);
  const some = [[], [others[0]!], [others[1]!], others];
  return some.some((few) => placeable(parts, chains, root, few) && !placeable(parts, chains, root, [...few, kind]));
}

/** The commitment that a job for `chains` alone carries: of a job made without their outputs, where nothing can be refused. */
function rootOf(parts: JobParts, chains: readonly ChainCommitments[], all: ReadonlyMap<string, number>): Uint8Array {
  const leaves = chains.map((each) => ({
    ...each,
    commitments: each.commitments.filter(({ kind }) => kind === "auxpow"),
  }));
  const some = leaves.filter(({ commitments }) => commitments.length > 0);
  if (some.length === 0) return new Uint8Array(44);
  const { job } = composeJob(parts, some, { chainIds: all, generation: 1 });
  const { script } = parseTransaction(concat(job.coinbasePrefix, new Uint8Array(20), job.coinbaseSuffix)).inputs[0]!;
  return script.slice(5, 49);
}

describe("any set of declared outputs", () => {
  test("is placed under all rules, or a chain is refused that no order has a place for, for the reason that is given", () => {
    const seen = new Map<string, number>();
    fc.assert(
      fc.property(wanted, setting, (chains, where) => {
        const parts = partsOf(where);
        const ids = new Map(
          chains.flatMap(({ chain, commitments }) =>
            commitments.flatMap((c) => (c.kind === "auxpow" ? [[chain, c.chainId] as const] : [])),
          ),
        );
        const { job, dropped } = composeJob(parts, chains, { chainIds: ids, generation: 1 });
        const out = new Map(dropped.map((each) => [each.chain, each]));
        const kept = chains.filter(({ chain }) => !out.has(chain));
        expect(job.aux?.entries.map(({ chain }) => chain) ?? []).toEqual(kept.map(({ chain }) => chain));
        const rules = kept.flatMap(({ commitments }) => commitments.filter((each) => each.kind === "output"));
        const leaf = kept.some(({ commitments }) => commitments.some(({ kind }) => kind === "auxpow"));
        expect(holds(job, rules, leaf, KINDS)).toBe(true);
        for (const [i, each] of chains.entries()) {
          const refusal = out.get(each.chain);
          seen.set(refusal?.reason ?? "placed", (seen.get(refusal?.reason ?? "placed") ?? 0) + 1);
          if (refusal === undefined) continue;
          const tried = [...chains.slice(0, i).filter(({ chain }) => !out.has(chain)), each];
          const root = rootOf(parts, tried, ids);
          expect(placeable(parts, tried, root), refusal.detail).toBe(false);
          expect(blames(parts, tried, root, refusal.reason as Kind), `${refusal.reason}: ${refusal.detail}`).toBe(true);
        }
      }),
      { numRuns: 400 },
    );
    for (const outcome of ["placed", ...KINDS]) expect(seen.get(outcome), outcome).toBeGreaterThan(20);
  }, 120_000);
});
