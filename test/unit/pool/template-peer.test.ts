/** A template client message by message: what it may cost. The rest is in test/e2e/template-server.test.ts. */
import { describe, expect, test } from "vitest";
import { silentLog } from "../../../src/kernel/log.ts";
import { silentMeter } from "../../../src/kernel/meter.ts";
import type { FoundBlock } from "../../../src/mining/ports.ts";
import type { Template } from "../../../src/mining/template.ts";
import { ServedTemplates } from "../../../src/pool/templates/served-templates.ts";
import { TemplatePeer } from "../../../src/pool/templates/template-peer.ts";
import { FrameDecoder } from "../../../src/sv2/frame.ts";
import { common } from "../../../src/sv2/messages/common.ts";
import { templates } from "../../../src/sv2/messages/templates.ts";
import { makeTemplate } from "../../support/fake-chain.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { SETUP_CONNECTION } from "../../support/mock-miner.ts";
import { settle } from "../node/bitcoind/fakes.ts";

function setting(wish: { readonly waiting?: () => number; readonly template?: Template } = {}) {
  const clock = new FakeClock();
  const served = new ServedTemplates({ clock });
  served.use(wish.template ?? makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1) }));
  const decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
  const sent: { name: string; value: Record<string, unknown> }[] = [];
  const blocks: FoundBlock[] = [];
  const peer = new TemplatePeer(
    {
      connection: 1,
      send: (frame) => {
        for (const { msgType, payload } of decoder.push(frame)) {
          sent.push((msgType < 0x70 ? common : templates).decode(msgType, payload) as never);
        }
      },
      waiting: wish.waiting ?? (() => 0),
      clock,
      log: silentLog,
      meter: silentMeter,
      served,
      transactionsOf: async ({ transactions }) => transactions,
      blocks: (found) => void blocks.push(found),
    },
    { maxOutputBytes: 2000 },
  );
  const inbound = new FrameDecoder({}, { maxFrameSize: 0xffffff });
  const say = (frame: Uint8Array) => inbound.push(frame).map((each) => peer.receive(each))[0];
  say(common.encode("SetupConnection", { ...SETUP_CONNECTION, protocol: 2 }));
  const constrain = (bytes: number) =>
    say(
      templates.encode("CoinbaseOutputConstraints", {
        coinbaseOutputMaxAdditionalSize: bytes,
        coinbaseOutputMaxAdditionalSigops: 1,
      }),
    );
  return { peer, served, sent, blocks, say, constrain, names: () => sent.map(({ name }) => name) };
}

describe("a template client", () => {
  test("may not reserve more than is allowed", () => {
    const { constrain } = setting();
    expect(() => constrain(2001)).toThrow(expect.objectContaining({ code: "template-constraints-too-large" }));
  });

  test("that wants more than the newest template can leave waits for another", () => {
    const full = {
      ...makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1) }),
      coinbaseRoom: { bytes: 50, sigops: 0 },
    };
    const { constrain, names, served, peer } = setting({ template: full });
    constrain(100);
    expect(names()).toEqual(["SetupConnectionSuccess"]);
    served.use(makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1) }));
    peer.newTemplate(false);
    expect(names()).toEqual(["SetupConnectionSuccess", "NewTemplate", "SetNewPrevHash"]);
  });

  test("gets a refresh as one, and another tip as a future template", () => {
    const { constrain, sent, served, peer } = setting();
    constrain(100);
    served.use(makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1) }));
    peer.newTemplate(false);
    expect(served.use(makeTemplate({ height: 101, prevHash: new Uint8Array(32).fill(2) }))).toBe("newBlock");
    peer.newTemplate(true);
    const kinds = sent.slice(1).map(({ name, value }) => [name, value.futureTemplate]);
    expect(kinds).toEqual([
      ["NewTemplate", true],
      ["SetNewPrevHash", undefined],
      ["NewTemplate", false],
      ["NewTemplate", true],
      ["SetNewPrevHash", undefined],
    ]);
  });

  test("that does not read is not answered, and may not ask on and on", async () => {
    const { constrain, say, names, sent } = setting({ waiting: () => 1_000_000 });
    constrain(100);
    const templateId = sent[1]?.value.templateId as bigint;
    const ask = () => say(templates.encode("RequestTransactionData", { templateId }));
    for (let i = 0; i < 16; i++) ask();
    await settle();
    expect(names()).not.toContain("RequestTransactionDataSuccess");
    expect(ask).toThrow(expect.objectContaining({ code: "template-requests-too-many" }));
  });

  test("with a hundred solutions that are none is left", () => {
    const { constrain, say, blocks } = setting();
    constrain(100);
    const solution = templates.encode("SubmitSolution", {
      templateId: 3n,
      version: 1,
      headerTimestamp: 1,
      headerNonce: 1,
      coinbaseTx: new Uint8Array(3),
    });
    for (let i = 0; i < 100; i++) expect(say(solution)).toBeUndefined();
    expect(say(solution)).toMatchObject({ code: "template-solutions-bogus" });
    expect(blocks).toEqual([]);
  });

  test("is told numbers that were never told before, also after a restart", () => {
    const clock = new FakeClock();
    const template = makeTemplate({ height: 100, prevHash: new Uint8Array(32) });
    const first = new ServedTemplates({ clock });
    first.use(template);
    const before = first.withRoom({ bytes: 1, sigops: 1 })?.templateId ?? 0n;
    clock.advance(1);
    const second = new ServedTemplates({ clock });
    second.use(template);
    expect(second.withRoom({ bytes: 1, sigops: 1 })?.templateId).toBeGreaterThan(before);
  });
});
