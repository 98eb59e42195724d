/** The client of a job declaration server, message by message on a plain link: tokens, declarations, and what ends the connection. */
import { describe, expect, test } from "vitest";
import type { Link, LinkListener } from "../../../../src/client/link.ts";
import { parseServerUrl } from "../../../../src/client/url.ts";
import { fromHex } from "../../../../src/kernel/bytes.ts";
import { silentLog } from "../../../../src/kernel/log.ts";
import { silentMeter } from "../../../../src/kernel/meter.ts";
import { nodeCrypto } from "../../../../src/pool/noise-crypto.ts";
import { FrameDecoder } from "../../../../src/sv2/frame.ts";
import { common } from "../../../../src/sv2/messages/common.ts";
import { declaration } from "../../../../src/sv2/messages/declaration.ts";
import { extensions } from "../../../../src/sv2/messages/extensions.ts";
import { mergeMining } from "../../../../src/sv2/messages/merge-mining.ts";
import { Declarator } from "../../../../src/upstream/declaration/declarator.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { seededRandom } from "../../../support/seeded-random.ts";
import { pass, settle } from "../../node/bitcoind/fakes.ts";

/** A declarator whose server is the test. */
function setting(options: { readonly room?: { readonly scriptSigBytes: number; readonly outputBytes: number } } = {}) {
  const clock = new FakeClock();
  const decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
  const sent: { readonly name: string; readonly value: Record<string, unknown> }[] = [];
  let listener: LinkListener | undefined;
  const link: Link = {
    write(bytes) {
      for (const { extensionType, msgType, payload } of decoder.push(bytes)) {
        const type = extensionType & 0x7fff;
        const codec = type === 0x4d4d ? mergeMining : type === 1 ? extensions : msgType < 0x50 ? common : declaration;
        sent.push(codec.decode(msgType, payload) as never);
      }
    },
    end: () => undefined,
    destroy: () => undefined,
  };
  const declarator = new Declarator(
    {
      clock,
      random: seededRandom(1),
      log: silentLog,
      meter: silentMeter,
      crypto: nodeCrypto({ log: silentLog }),
      dial: async (_, to) => {
        listener = to;
        return link;
      },
    },
    {
      pool: "other",
      address: { ...parseServerUrl("stratum2+tls://127.0.0.1:1?noise=off") },
      userIdentifier: "us",
      mode: "full_template",
      connectTimeoutMs: 20_000,
      answerTimeoutMs: 5_000,
      ...options,
    },
  );
  let tokens = 0;
  const over = new AbortController();
  const ended = declarator.run(
    {
      onToken: () => {
        tokens += 1;
      },
      onCommitments: () => undefined,
    },
    over.signal,
  );
  const say = (frame: Uint8Array): void => listener?.onData(frame);
  const names = (): string[] => sent.map(({ name }) => name);
  /** Answers the newest request for a token. */
  const give = (token: number, coinbaseTxOutputs = OUTPUTS): void => {
    const asked = sent.filter(({ name }) => name === "AllocateMiningJobToken");
    const requestId = asked[token]?.value.requestId as number;
    say(
      declaration.encode("AllocateMiningJobTokenSuccess", {
        requestId,
        miningJobToken: Uint8Array.of(token),
        coinbaseTxOutputs,
      }),
    );
  };
  return { clock, declarator, sent, names, say, give, ended, tokens: () => tokens };
}

const SUCCESS = common.encode("SetupConnectionSuccess", { usedVersion: 2, flags: 0 });

/** One output of no value to a P2WPKH script, with its count. */
const OUTPUTS = fromHex(`010000000000000000160014${"11".repeat(20)}`);

const DRAFT = {
  token: Uint8Array.of(0),
  version: 0x20000000,
  coinbasePrefix: Uint8Array.of(1),
  coinbaseSuffix: Uint8Array.of(2),
  wtxids: [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)],
  transactions: [Uint8Array.of(0xa1), Uint8Array.of(0xa2)],
};

describe("a client of a job declaration server", () => {
  test("says that it hands over transactions, and keeps two tokens ready", async () => {
    const { declarator, sent, names, say, give, tokens } = setting();
    await settle();
    expect(sent).toMatchObject([{ name: "SetupConnection", value: { protocol: 1, flags: 1 } }]);
    say(SUCCESS);
    expect(names().slice(1)).toEqual(["AllocateMiningJobToken", "AllocateMiningJobToken"]);
    expect(declarator.isReady).toBe(false);
    give(0);
    give(0);
    expect(tokens()).toBe(1);
    expect(declarator.isReady).toBe(true);
    const taken = declarator.takeToken();
    expect(taken?.token).toEqual(Uint8Array.of(0));
    expect(taken?.outputs).toEqual([{ value: 0n, script: fromHex(`0014${"11".repeat(20)}`) }]);
    expect(names().slice(3)).toEqual(["AllocateMiningJobToken"]);
    expect(declarator.takeToken()).toBeUndefined();
  });

  test("does not use a token that became old", async () => {
    const { clock, declarator, say, give } = setting();
    await settle();
    say(SUCCESS);
    give(0);
    await pass(clock, 241_000, 10_000);
    give(1);
    expect(declarator.takeToken()?.token).toEqual(Uint8Array.of(1));
  });

  test("hands over the transactions that the server lacks, and passes its word on", async () => {
    const { declarator, sent, say, give } = setting();
    await settle();
    say(SUCCESS);
    give(0);
    const declared = declarator.declare(DRAFT);
    const refused = declarator.declare(DRAFT);
    const [first, second] = sent.slice(-2).map(({ value }) => value.requestId as number) as [number, number];
    say(declaration.encode("ProvideMissingTransactions", { requestId: first, unknownTxPositionList: [1] }));
    expect(sent.at(-1)).toMatchObject({
      name: "ProvideMissingTransactionsSuccess",
      value: { requestId: first, transactionList: [Uint8Array.of(0xa2)] },
    });
    const newMiningJobToken = Uint8Array.of(9);
    say(declaration.encode("DeclareMiningJobSuccess", { requestId: first, newMiningJobToken }));
    say(
      declaration.encode("DeclareMiningJobError", {
        requestId: second,
        errorCode: "stale-chain-tip",
        errorDetails: new TextEncoder().encode("older\u001b[31m block"),
      }),
    );
    expect(await declared).toEqual({ token: newMiningJobToken });
    const answer = await refused;
    expect(answer).toMatchObject({ errorCode: "stale-chain-tip" });
    expect((answer as { details: string }).details).not.toContain("\u001b");
  });

  test("declares three jobs at a time at most, and hangs up on a server that does not answer", async () => {
    const { clock, declarator, say, give, ended } = setting();
    await settle();
    say(SUCCESS);
    give(0);
    const all = [1, 2, 3, 4].map(() => declarator.declare(DRAFT));
    expect(await all[3]).toMatchObject({ errorCode: "too-many" });
    await pass(clock, 7_000, 1000);
    expect((await Promise.all(all.slice(0, 3))).map((word) => "errorCode" in word && word.errorCode)).toEqual([
      "no-answer",
      "connection-lost",
      "connection-lost",
    ]);
    expect(await ended).toMatchObject({ reason: expect.stringMatching(/does not answer/), fault: undefined });
    expect(await declarator.declare(DRAFT)).toMatchObject({ errorCode: "connection-lost" });
    expect(
      declarator.pushSolution({
        extranonce: new Uint8Array(2),
        prevHash: new Uint8Array(32),
        ntime: 1,
        nonce: 1,
        nbits: 1,
        version: 1,
      }),
    ).toBe(false);
  });

  test("ends when there is no token in time", async () => {
    const { clock, say, ended } = setting();
    await settle();
    say(SUCCESS);
    await pass(clock, 21_000, 1000);
    expect((await ended).fault).toMatchObject({ code: "upstream-declaration-timeout" });
  });

  test("ends when the server refuses the connection", async () => {
    const { say, ended } = setting();
    await settle();
    say(common.encode("SetupConnectionError", { flags: 0, errorCode: "unsupported-protocol" }));
    expect((await ended).fault).toMatchObject({ code: "upstream-declaration-refused" });
  });

  test("goes on without commitments when the server does not say whether it has them", async () => {
    const { clock, say, names } = setting({ room: { scriptSigBytes: 60, outputBytes: 300 } });
    await settle();
    say(SUCCESS);
    expect(names().slice(1)).toEqual(["RequestExtensions"]);
    await pass(clock, 3_000, 500);
    expect(names().slice(2)).toEqual(["AllocateMiningJobToken", "AllocateMiningJobToken"]);
  });

  test.each([
    ["outputs that cannot be read", ({ give }: ReturnType<typeof setting>) => give(0, Uint8Array.of(3, 1))],
    ["a token without a payout", ({ give }: ReturnType<typeof setting>) => give(0, Uint8Array.of(0))],
    [
      "a transaction that the job does not have",
      ({ give, say, declarator, sent }: ReturnType<typeof setting>) => {
        give(0);
        void declarator.declare(DRAFT);
        const requestId = sent.at(-1)?.value.requestId as number;
        say(declaration.encode("ProvideMissingTransactions", { requestId, unknownTxPositionList: [2] }));
      },
    ],
    [
      "the same transaction twice",
      ({ give, say, declarator, sent }: ReturnType<typeof setting>) => {
        give(0);
        void declarator.declare(DRAFT);
        const requestId = sent.at(-1)?.value.requestId as number;
        say(declaration.encode("ProvideMissingTransactions", { requestId, unknownTxPositionList: [1, 1] }));
      },
    ],
  ])("ends when the server says or asks for %s", async (_, provoke) => {
    const all = setting();
    await settle();
    all.say(SUCCESS);
    provoke(all);
    expect((await all.ended).fault).toMatchObject({ code: "upstream-declaration-invalid" });
  });
});
