/** Messages of providers as templates of ours: recorded from sv2-tp, and broken ones. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { targetFromCompact, targetToBytes } from "../../../../src/bitcoin/target.ts";
import type { TemplateCause } from "../../../../src/mining/ports.ts";
import type { Template } from "../../../../src/mining/template.ts";
import { ConstraintsInForce } from "../../../../src/node/templates/output-constraints.ts";
import { ProviderFeed } from "../../../../src/node/templates/provider-feed.ts";
import type { TEMPLATES } from "../../../../src/sv2/messages/templates.ts";
import { templates } from "../../../../src/sv2/messages/templates.ts";
import type { Value } from "../../../../src/sv2/table.ts";

const NBITS = 0x1d00ffff;
const COMMITMENT = Buffer.concat([
  Buffer.alloc(8),
  Buffer.from("26", "hex"),
  Buffer.from(`6a24aa21a9ed${"11".repeat(32)}`, "hex"),
]);

const newTemplate = (
  changes: Partial<Value<typeof TEMPLATES.NewTemplate>> = {},
): Value<typeof TEMPLATES.NewTemplate> => ({
  templateId: 7n,
  futureTemplate: true,
  version: 0x20000000,
  coinbaseTxVersion: 2,
  coinbasePrefix: Uint8Array.of(3, 0x40, 0x0d, 0x03),
  coinbaseTxInputSequence: 0xfffffffe,
  coinbaseTxValueRemaining: 5_000_000_000n,
  coinbaseTxOutputsCount: 1,
  coinbaseTxOutputs: COMMITMENT,
  coinbaseTxLocktime: 0,
  merklePath: [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)],
  ...changes,
});

const tip = (changes: Partial<Value<typeof TEMPLATES.SetNewPrevHash>> = {}) => ({
  templateId: 7n,
  prevHash: new Uint8Array(32).fill(9),
  headerTimestamp: 1_700_000_000,
  nBits: NBITS,
  target: targetToBytes(targetFromCompact(NBITS)),
  ...changes,
});

function setting() {
  const offered: { readonly template: Template; readonly cause: TemplateCause }[] = [];
  const feed = new ProviderFeed({
    provider: "tp",
    source: "tp",
    idOf: (templateId) => `tp/${templateId}`,
    room: () => ({ bytes: 100, sigops: 4 }),
    offer: (template, cause) => void offered.push({ template, cause }),
  });
  return { feed, offered };
}

describe("a provider's templates", () => {
  test("wait for the tip that names them", () => {
    const { feed, offered } = setting();
    feed.newTemplate(newTemplate());
    expect(offered).toEqual([]);
    feed.setNewPrevHash(tip());
    expect(offered).toMatchObject([
      {
        cause: "newBlock",
        template: {
          id: "tp/7",
          source: "tp",
          height: 200_000,
          nBits: NBITS,
          minTime: 1_700_000_000,
          coinbaseValue: 5_000_000_000n,
          transactionCount: 4,
          coinbaseRoom: { bytes: 100, sigops: 4 },
          coinbase: { witness: [new Uint8Array(32)], outputs: [{ value: 0n }] },
        },
      },
    ]);
    feed.newTemplate(newTemplate({ templateId: 8n, futureTemplate: false }));
    expect(offered[1]).toMatchObject({ cause: "refresh", template: { id: "tp/8", prevHash: tip().prevHash } });
  });

  test("a tip that names an unknown one, as after a provider's restart, is taken; its next template is on it", () => {
    const { feed, offered } = setting();
    feed.setNewPrevHash(tip({ templateId: 99n }));
    expect(offered).toEqual([]);
    feed.newTemplate(newTemplate({ templateId: 100n, futureTemplate: false }));
    expect(offered).toHaveLength(1);
  });

  test("of thousands that no tip names the newest are kept", () => {
    const { feed, offered } = setting();
    for (let id = 0n; id < 1000n; id++) feed.newTemplate(newTemplate({ templateId: id }));
    feed.setNewPrevHash(tip({ templateId: 5n }));
    expect(offered).toEqual([]);
    for (let id = 0n; id < 1000n; id++) feed.newTemplate(newTemplate({ templateId: id }));
    feed.setNewPrevHash(tip({ templateId: 999n }));
    expect(offered).toHaveLength(1);
  });

  test("a template without segwit has no witness", () => {
    const { feed, offered } = setting();
    feed.newTemplate(newTemplate({ coinbaseTxOutputsCount: 0, coinbaseTxOutputs: new Uint8Array(0), merklePath: [] }));
    feed.setNewPrevHash(tip());
    expect(offered[0]?.template).toMatchObject({ transactionCount: 1, coinbase: { witness: [] } });
  });

  test.each([
    ["no height", { coinbasePrefix: Uint8Array.of(0x4c) }],
    ["a prefix of nine bytes", { coinbasePrefix: Uint8Array.of(3, 1, 2, 3, 0, 0, 0, 0, 0) }],
    ["more coins than there are", { coinbaseTxValueRemaining: 2_100_000_000_000_001n }],
    ["a merkle path of 18", { merklePath: Array.from({ length: 18 }, () => new Uint8Array(32)) }],
    ["another count of outputs", { coinbaseTxOutputsCount: 2 }],
    ["outputs that are none", { coinbaseTxOutputs: Uint8Array.of(1, 2) }],
  ] as const)("with %s cost the provider its connection", (_, changes) => {
    const { feed } = setting();
    expect(() => feed.newTemplate(newTemplate(changes))).toThrow(
      expect.objectContaining({ code: "template-provider-violation" }),
    );
  });

  test("a target that is another than nBits says costs it too", () => {
    const { feed } = setting();
    expect(() => feed.setNewPrevHash(tip({ target: new Uint8Array(32) }))).toThrow(
      expect.objectContaining({ code: "template-provider-violation" }),
    );
  });

  test("messages recorded from sv2-tp make templates", () => {
    const vectors = JSON.parse(
      readFileSync(new URL("../../../vectors/sv2-tp-messages.json", import.meta.url), "utf8"),
    ) as unknown;
    const frames = [...JSON.stringify(vectors).matchAll(/"([0-9a-f]{80,})"/g)].map(([, hex = ""]) =>
      Buffer.from(hex, "hex"),
    );
    let read = 0;
    for (const bytes of frames) {
      for (const skip of [0, 6]) {
        try {
          const message = templates.decode(0x71, bytes.subarray(skip));
          if (message.name !== "NewTemplate" || message.value.coinbaseTxOutputsCount > 10) continue;
          const { feed } = setting();
          feed.newTemplate(message.value);
          read += 1;
        } catch {
          // Another message.
        }
      }
    }
    expect(read).toBeGreaterThan(0);
  });
});

describe("what templates leave for outputs", () => {
  const small = { bytes: 100, sigops: 4 };
  const large = { bytes: 500, sigops: 8 };

  test("is the larger set only behind the answer to a question and with a future template", () => {
    const it = new ConstraintsInForce(small);
    it.change(large);
    expect(it.sent).toEqual(large);
    // A new block came while the change was on its way.
    expect(it.of(true)).toEqual(small);
    it.answered();
    expect(it.of(false)).toEqual(small);
    expect(it.of(true)).toEqual(large);
    expect(it.of(false)).toEqual(large);
  });

  test("is the smaller of both while a change is under way, whichever way it goes", () => {
    const it = new ConstraintsInForce(large);
    it.change(small);
    expect(it.of(false)).toEqual(small);
    it.change(large);
    expect(it.of(true)).toEqual(small);
    it.answered();
    expect(it.of(true)).toEqual(large);
  });
});
