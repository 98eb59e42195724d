import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parseTransaction } from "../../../src/bitcoin/transaction.ts";
import { concat, fromHex, toHex, utf8 } from "../../../src/kernel/bytes.ts";
import { METRICS } from "../../../src/kernel/meter.ts";
import { composeJob } from "../../../src/merge/compose.ts";
import type { Commitment } from "../../../src/merge/plugin.ts";
import type { AuxWork } from "../../../src/mining/aux.ts";
import { jobCoinbase } from "../../../src/mining/job.ts";
import { benchTemplate } from "../../bench/shares.ts";

const page = readFileSync(new URL("../../../docs/merge-mining.md", import.meta.url), "utf8");
const rows = [...page.matchAll(/^\| (\d+) \| (\d+) \| (.*) \|$/gm)].map(([, offset, bytes, what]) => ({
  offset: Number(offset),
  bytes: Number(bytes),
  what: what ?? "",
}));

const hash = (byte: number): Uint8Array => new Uint8Array(32).fill(byte);
const work = (id: string): AuxWork => {
  return { id, hash: hash(id.length), parent: "tip", height: 1, target: 1n << 200n, value: 1n, details: {} };
};
const opReturn = (...parts: readonly Uint8Array[]): Uint8Array => {
  const data = concat(...parts);
  return concat(Uint8Array.of(0x6a, data.length), data);
};
const leaf = (chainId: number, { hash }: AuxWork): Commitment => {
  return { kind: "auxpow", chainId, hash, strictChainId: true };
};

test("the page draws the coinbase of a real job", () => {
  const bare = benchTemplate(12);
  const witness = { value: 0n, script: concat(fromHex("6a24aa21a9ed"), hash(0xee)) };
  const template = { ...bare, coinbase: { ...bare.coinbase, outputs: [witness] } };
  const [sys, hath, rsk] = [utf8("sys"), utf8("Hath"), utf8("RSKBLOCK:")];
  const { job, dropped } = composeJob(
    {
      template,
      payout: (value) => [{ value, script: concat(fromHex("0014"), new Uint8Array(20)) }],
      tag: utf8("/bllvm-stratum-v2/"),
      jobId: 1,
      nowMs: 1_700_000_000_000,
    },
    [
      { chain: "namecoin", work: work("n"), commitments: [leaf(1, work("n"))] },
      {
        chain: "syscoin",
        work: work("sy"),
        commitments: [
          leaf(16, work("sy")),
          { kind: "output", script: opReturn(sys, hash(0x55), new Uint8Array(4)), forbid: sys },
        ],
      },
      { chain: "fractal", work: work("fra"), commitments: [leaf(8228, work("fra"))] },
      {
        chain: "rsk",
        work: work("rskj"),
        commitments: [{ kind: "output", script: opReturn(rsk, hash(0x44)), maxBytesAfter: 128, last: rsk }],
      },
      {
        chain: "hathor",
        work: work("hatho"),
        commitments: [{ kind: "output", script: opReturn(hath, hash(0x33)), first: hath }],
      },
      {
        chain: "tag",
        work: work("static"),
        commitments: [{ kind: "output", script: opReturn(utf8("CORE"), new Uint8Array(41)) }],
      },
    ],
    {
      chainIds: new Map([
        ["namecoin", 1],
        ["syscoin", 16],
        ["fractal", 8228],
      ]),
      generation: 1,
    },
  );
  expect(dropped).toEqual([]);
  const coinbase = jobCoinbase(job, new Uint8Array(20)).stripped;
  const bytesAt = (what: string): string => {
    const row = rows.find((each) => each.what.startsWith(what));
    if (row === undefined) throw new Error(`the page has no row "${what}"`);
    return toHex(coinbase.subarray(row.offset, row.offset + row.bytes));
  };
  let end = 0;
  for (const { offset, bytes } of rows) {
    expect(offset).toBe(end);
    end += bytes;
  }
  expect(end).toBe(coinbase.length);
  expect(page).toContain(`${coinbase.length} bytes`);
  expect(rows.find(({ what }) => what.startsWith("extranonce"))?.offset).toBe(job.coinbasePrefix.length);
  expect(bytesAt("length of the scriptSig")).toBe((89).toString(16));
  expect(bytesAt("fabe6d6d")).toBe("fabe6d6d");
  expect(bytesAt("size of the tree")).toBe("08000000");
  expect(bytesAt("nonce of the tree")).toBe("00000000");
  expect(bytesAt("pool tag")).toBe(toHex(utf8("/bllvm-stratum-v2/")));
  expect(bytesAt("number of outputs")).toBe("06");
  for (const [what, mark] of [
    ["Syscoin", sys],
    ["Hathor", hath],
    ["a static tag", utf8("CORE")],
    ["RSK", rsk],
  ] as const) {
    expect(bytesAt(what)).toContain(toHex(mark));
  }
  expect(bytesAt("witness commitment")).toContain("6a24aa21a9ed");
  expect(parseTransaction(coinbase).outputs).toHaveLength(6);
});

test("the page explains every metric of merge mining", () => {
  const explained = new Set([...page.matchAll(/`(aux_[a-z_]+)`/g)].map(([, name]) => name));
  const metrics = Object.keys(METRICS).filter((name) => name.startsWith("aux_"));
  expect(metrics.filter((name) => !explained.has(name))).toEqual([]);
  expect([...explained].filter((name) => !metrics.includes(name ?? ""))).toEqual([]);
});
