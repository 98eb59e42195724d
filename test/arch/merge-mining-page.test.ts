/** Extension 0x4d4d byte for byte: the frames of docs/extension-merge-mining.md, which were written out by hand from the types of spec section 3.1. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../src/kernel/bytes.ts";
import { liveCommitmentsOf } from "../../src/merge/live-commitments.ts";
import { decodeFrameHeader } from "../../src/sv2/frame.ts";
import { MERGE_MINING, mergeMining } from "../../src/sv2/messages/merge-mining.ts";

const page = readFileSync(new URL("../../docs/extension-merge-mining.md", import.meta.url), "utf8");

const RSK_TAG = "52534b424c4f434b3a";
const PUSH = `2cfabe6d6d${"aa".repeat(32)}0100000000000000`;
const SCRIPT = `6a29${RSK_TAG}${"bb".repeat(32)}`;
const CHAINS = "02086e616d65636f696e0372736b";

const EXAMPLES = [
  {
    name: "SubscribeCommitments",
    frame: "4d4d00070000070000002d9001",
    value: { requestId: 7, maxScriptSigSize: 45, maxOutputsSize: 400 },
  },
  {
    name: "SubscribeCommitmentsSuccess",
    frame: "4d4d0108000007000000fa000000",
    value: { requestId: 7, minIntervalMs: 250 },
  },
  {
    name: "Commitments",
    frame: `4d4d02890000070000000500000000000000${CHAINS}2d${PUSH}012b${SCRIPT}018000000001000109${RSK_TAG}0100`,
    value: {
      requestId: 7,
      commitmentsId: 5n,
      chains: ["namecoin", "rsk"],
      scriptSig: fromHex(PUSH),
      outputScripts: [fromHex(SCRIPT)],
      maxBytesAfter: [128],
      firstMarks: [new Uint8Array(0)],
      lastMarks: [fromHex(RSK_TAG)],
      forbiddenMarks: [new Uint8Array(0)],
    },
  },
  {
    name: "CustomJobChains",
    frame: `4dcd031600000100000009000000${CHAINS}`,
    value: { channelId: 1, jobId: 9, chains: ["namecoin", "rsk"] },
  },
] as const;

describe("merge mining of foreign coinbases", () => {
  test.each(EXAMPLES)("$name is these bytes, here and on the page", ({ name, frame, value }) => {
    expect(toHex(mergeMining.encode(name, value as never))).toBe(frame);
    expect(mergeMining.decode(decodeFrameHeader(fromHex(frame)).msgType, fromHex(frame.slice(12)))).toEqual({
      name,
      value,
      tlv: undefined,
    });
    expect(page.replaceAll(/\s/g, "")).toContain(frame);
  });

  test("the page's Commitments are what a client takes from a server", () => {
    const value = EXAMPLES[2].value;
    expect(liveCommitmentsOf(value)).toMatchObject({ id: 5n, chains: ["namecoin", "rsk"], scriptSig: fromHex(PUSH) });
  });

  test("the page has every message with its fields in their order", () => {
    for (const [name, { type, fields }] of Object.entries(MERGE_MINING)) {
      const from = page.indexOf(`### ${name}\n`);
      expect(from, name).toBeGreaterThan(0);
      const text = page.slice(from, page.indexOf("\n##", from + 4));
      expect(text).toContain(`\`0x0${type}\``);
      const told = [...text.matchAll(/^\| `([a-z_]+)` \|/gm)].map(([, field]) => field);
      const names = Object.keys(fields).map((field) =>
        field.replace(/Ms$/, "").replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      );
      expect(told).toEqual(names);
    }
  });
});
