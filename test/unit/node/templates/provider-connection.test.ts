/** One connection to a provider, message by message on a plain link: what it is asked, what it may do, and how it ends. */
import { describe, expect, test } from "vitest";
import { sha256d } from "../../../../src/bitcoin/hash.ts";
import type { Link, LinkListener } from "../../../../src/client/link.ts";
import { parseServerUrl } from "../../../../src/client/url.ts";
import { silentLog } from "../../../../src/kernel/log.ts";
import { blockPlace, submitAnswer } from "../../../../src/node/bitcoind/answers.ts";
import { ProviderConnection } from "../../../../src/node/templates/provider-connection.ts";
import { ProviderWord } from "../../../../src/node/templates/provider-word.ts";
import { nodeCrypto } from "../../../../src/pool/noise-crypto.ts";
import { FrameDecoder } from "../../../../src/sv2/frame.ts";
import { common } from "../../../../src/sv2/messages/common.ts";
import { templates } from "../../../../src/sv2/messages/templates.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import { pass, settle } from "../bitcoind/fakes.ts";

/** A connection whose other end is the test. */
function setting() {
  const clock = new FakeClock();
  const decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
  const sent: { readonly name: string; readonly value: Record<string, unknown> }[] = [];
  let listener: LinkListener | undefined;
  const link: Link = {
    write(bytes) {
      for (const { msgType, payload } of decoder.push(bytes)) {
        const codec = msgType < 0x70 ? common : templates;
        sent.push(codec.decode(msgType, payload) as never);
      }
    },
    end: () => undefined,
    destroy: () => undefined,
  };
  const connection = new ProviderConnection(
    {
      clock,
      random: seededRandom(1),
      log: silentLog,
      crypto: nodeCrypto({ log: silentLog }),
      dial: async (_, to) => {
        listener = to;
        return link;
      },
    },
    {
      name: "tp",
      url: "x",
      address: { ...parseServerUrl("stratum2+tls://127.0.0.1:1?noise=off") },
    },
    { connection: 1, constraints: { bytes: 100, sigops: 4 }, connectTimeoutMs: 20_000 },
  );
  const templatesOf: string[] = [];
  const over = new AbortController();
  const ended = connection.run(
    { onTemplate: (template) => void templatesOf.push(template.id), onTip: () => undefined },
    over.signal,
  );
  const say = (frame: Uint8Array): void => listener?.onData(frame);
  const names = (): string[] => sent.map(({ name }) => name);
  return { clock, connection, sent, names, say, ended, templatesOf, over };
}

const SUCCESS = common.encode("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });

describe("a connection to a provider", () => {
  test("begins with what is reserved, and asks behind a change", async () => {
    const { connection, names, say, sent } = setting();
    await settle();
    expect(names()).toEqual(["SetupConnection"]);
    expect(sent[0]?.value).toMatchObject({ protocol: 2, flags: 0 });
    say(SUCCESS);
    expect(sent[1]).toMatchObject({
      name: "CoinbaseOutputConstraints",
      value: { coinbaseOutputMaxAdditionalSize: 100, coinbaseOutputMaxAdditionalSigops: 4 },
    });
    connection.constrain({ bytes: 100, sigops: 4 });
    expect(names()).toHaveLength(2);
    connection.constrain({ bytes: 300, sigops: 4 });
    expect(names().slice(2)).toEqual(["CoinbaseOutputConstraints", "RequestTransactionData"]);
    expect(sent[3]?.value).toEqual({ templateId: 0n });
  });

  test("ends when there is no template in time", async () => {
    const { clock, say, ended } = setting();
    await settle();
    say(SUCCESS);
    await pass(clock, 21_000, 1000);
    expect((await ended).fault).toMatchObject({ code: "template-provider-timeout" });
  });

  test("ends with the provider's refusal", async () => {
    const { say, ended } = setting();
    await settle();
    say(common.encode("SetupConnectionError", { flags: 0, errorCode: "unsupported-protocol" }));
    expect((await ended).fault).toMatchObject({
      code: "template-provider-refused",
      data: { errorCode: "unsupported-protocol" },
    });
  });

  test("asks a silent provider, and leaves one that does not answer", async () => {
    const { clock, say, names, ended } = setting();
    await settle();
    say(SUCCESS);
    say(
      templates.encode("NewTemplate", {
        templateId: 1n,
        futureTemplate: true,
        version: 1,
        coinbaseTxVersion: 2,
        coinbasePrefix: Uint8Array.of(1, 100),
        coinbaseTxInputSequence: 0,
        coinbaseTxValueRemaining: 5n,
        coinbaseTxOutputsCount: 0,
        coinbaseTxOutputs: new Uint8Array(0),
        coinbaseTxLocktime: 0,
        merklePath: [],
      }),
    );
    const target = Uint8Array.from(
      Buffer.from("0000000000000000000000000000000000000000000000000000ffff00000000", "hex"),
    );
    say(
      templates.encode("SetNewPrevHash", {
        templateId: 1n,
        prevHash: new Uint8Array(32),
        headerTimestamp: 1,
        nBits: 0x1d00ffff,
        target,
      }),
    );
    await pass(clock, 31_000, 1000);
    expect(names().at(-1)).toBe("RequestTransactionData");
    say(templates.encode("RequestTransactionDataError", { templateId: 0n, errorCode: "template-id-not-found" }));
    await pass(clock, 60_000, 1000);
    say(templates.encode("RequestTransactionDataError", { templateId: 0n, errorCode: "template-id-not-found" }));
    await pass(clock, 95_000, 1000);
    expect((await ended).fault).toMatchObject({ code: "template-provider-silent" });
  });

  test("keeps no transactions that it did not ask for", async () => {
    const { connection, say, names } = setting();
    await settle();
    say(SUCCESS);
    const transactionList = [new Uint8Array(1000)];
    say(
      templates.encode("RequestTransactionDataSuccess", {
        templateId: 3n,
        excessData: new Uint8Array(0),
        transactionList,
      }),
    );
    expect(await connection.transactionsOf({ id: "tp/1/3" })).toBeUndefined();
    expect(names()).not.toContain("RequestTransactionData");
  });
});

describe("the word of providers on a block", () => {
  const header = Buffer.concat([Buffer.alloc(4), Buffer.alloc(32, 5), Buffer.alloc(44)]);

  test("is that it was taken when it is the tip, and that it came too late when another is", async () => {
    const clock = new FakeClock();
    let tell: (provider: string, prevHash: Uint8Array) => void = () => undefined;
    const word = new ProviderWord({
      clock,
      providers: {
        onTip: (listener) => {
          tell = listener;
          return () => undefined;
        },
      },
    });
    tell("tp", new Uint8Array(32).fill(5));
    const taken = word.call("submitblock", [header.toString("hex")], submitAnswer);
    await pass(clock, 500);
    tell("tp", sha256d(header));
    await pass(clock, 500);
    expect(await taken).toBeNull();
    const shown = Buffer.from(sha256d(header)).reverse().toString("hex");
    expect(await word.call("getblockheader", [shown], blockPlace)).toEqual({ confirmations: 1 });
    tell("tp", new Uint8Array(32).fill(5));
    tell("tp", new Uint8Array(32).fill(6));
    const rival = Buffer.from(header);
    rival.writeUInt32LE(7, 76);
    const late = word.call("submitblock", [rival.toString("hex")], submitAnswer);
    await pass(clock, 500);
    expect(await late).toBe("inconclusive");
    const silent = word
      .call("submitblock", [Buffer.alloc(80, 1).toString("hex")], submitAnswer)
      .catch((error) => error);
    await pass(clock, 61_000, 1000);
    expect(await silent).toMatchObject({ code: "node-timeout" });
  });
});
