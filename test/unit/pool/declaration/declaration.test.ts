/** The job declaration server's parts without a socket: tokens, coinbases, structure, transactions, solutions. */

import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parseBlock } from "../../../../src/bitcoin/block.ts";
import { sha256d } from "../../../../src/bitcoin/hash.ts";
import { serializeTransaction } from "../../../../src/bitcoin/transaction.ts";
import { toHex } from "../../../../src/kernel/bytes.ts";
import { silentLog } from "../../../../src/kernel/log.ts";
import { silentMeter } from "../../../../src/kernel/meter.ts";
import { DeclarationPeer } from "../../../../src/pool/declaration/declaration-peer.ts";
import { Declarations, type ProposalAnswer } from "../../../../src/pool/declaration/declarations.ts";
import { structureFlaw } from "../../../../src/pool/declaration/declared-block.ts";
import { type DeclaredCoinbase, declaredCoinbase } from "../../../../src/pool/declaration/declared-coinbase.ts";
import { MiningJobTokens } from "../../../../src/pool/declaration/tokens.ts";
import { knownTransaction, TransactionStore } from "../../../../src/pool/declaration/transaction-store.ts";
import { FrameDecoder } from "../../../../src/sv2/frame.ts";
import { common } from "../../../../src/sv2/messages/common.ts";
import { declaration } from "../../../../src/sv2/messages/declaration.ts";
import { customFields, customHalves } from "../../../support/custom-client.ts";
import { makeTemplate } from "../../../support/fake-chain.ts";
import { FakeClock } from "../../../support/fake-clock.ts";
import { SETUP_CONNECTION } from "../../../support/mock-miner.ts";
import { seededRandom } from "../../../support/seeded-random.ts";

const outputs = [{ value: 0n, script: Uint8Array.of(0x51) }];
const allocation = (client: number, coinbaseOnly = false) => ({ client, userIdentifier: "u", outputs, coinbaseOnly });

describe("tokens", () => {
  const setting = () => {
    const clock = new FakeClock();
    return {
      clock,
      tokens: new MiningJobTokens({ clock, random: seededRandom(1) }, { lifetimeMs: 1000, perClient: 3 }),
    };
  };

  test("are good once, for their own client, and for a while", () => {
    const { clock, tokens } = setting();
    const token = tokens.allocate(allocation(1));
    expect(tokens.take(2, token)).toBeUndefined();
    expect(tokens.redeem(token)).toEqual({ errorCode: "job-not-yet-validated" });
    expect(tokens.take(1, token)).toMatchObject({ client: 1 });
    expect(tokens.take(1, token)).toBeUndefined();
    const late = tokens.allocate(allocation(1, true));
    clock.advance(1001);
    expect(tokens.redeem(late)).toEqual({ errorCode: "invalid-mining-job-token" });
    expect(tokens.take(1, late)).toBeUndefined();
    tokens.sweep();
    expect(tokens.size).toBe(0);
  });

  test("of a flood the oldest are void, and nobody else's", () => {
    const { tokens } = setting();
    const others = tokens.allocate(allocation(2, true));
    const own = Array.from({ length: 1000 }, () => tokens.allocate(allocation(1, true)));
    expect(tokens.size).toBe(4);
    expect(tokens.redeem(own[996] as Uint8Array)).toEqual({ errorCode: "invalid-mining-job-token" });
    expect(tokens.redeem(own[999] as Uint8Array)).toMatchObject({ userIdentifier: "u", declared: undefined });
    expect(tokens.redeem(others)).toMatchObject({ userIdentifier: "u" });
  });

  test("of a client that is gone are void, but not those of its declared jobs", () => {
    const { tokens } = setting();
    const allocated = tokens.allocate(allocation(1, true));
    const declared = tokens.declared(1, { userIdentifier: "u", outputs, declared: undefined });
    tokens.leave(1);
    expect(tokens.redeem(allocated)).toEqual({ errorCode: "invalid-mining-job-token" });
    expect(tokens.redeem(declared)).toMatchObject({ userIdentifier: "u" });
  });

  test("are no two alike", () => {
    const { tokens } = setting();
    const seen = new Set(Array.from({ length: 500 }, () => toHex(tokens.allocate(allocation(1)))));
    expect(seen.size).toBe(500);
    expect([...seen].every((token) => token.length === 32)).toBe(true);
  });
});

const fields = (script?: Uint8Array) =>
  customFields({
    height: 100,
    prevHash: new Uint8Array(32).fill(1),
    nBits: 0x207fffff,
    ntime: 1_700_000_100,
    outputs: [{ value: 5_000_003_000n, script: Uint8Array.of(0x51) }],
    ...(script === undefined ? {} : { script }),
  });

describe("the coinbase of a declaration", () => {
  test("is read with and without its witness", () => {
    for (const witness of [new Uint8Array(32), undefined]) {
      const { prefix, suffix } = customHalves(fields(), 20, witness);
      const stripped = customHalves(fields(), 20);
      expect(declaredCoinbase(prefix, suffix)).toMatchObject({
        extranonceSize: 20,
        height: 100,
        witness: witness === undefined ? [] : [witness],
        outputs: [{ value: 5_000_003_000n }],
      });
      const read = declaredCoinbase(prefix, suffix) as DeclaredCoinbase;
      expect([toHex(read.prefix), toHex(read.suffix)]).toEqual([toHex(stripped.prefix), toHex(stripped.suffix)]);
    }
  });

  test("that is none is refused, whatever its bytes are", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.uint8Array({ maxLength: 200 }), (prefix, suffix) => {
        expect(() => declaredCoinbase(prefix, suffix)).not.toThrow();
      }),
    );
    const { prefix, suffix } = customHalves(fields(), 20, new Uint8Array(32));
    fc.assert(
      fc.property(fc.nat(prefix.length - 1), fc.nat(255), (at, byte) => {
        const broken = Uint8Array.from(prefix);
        broken[at] = byte;
        expect(() => declaredCoinbase(broken, suffix)).not.toThrow();
      }),
    );
    const spends = Uint8Array.from(prefix);
    spends[20] = 1;
    expect(declaredCoinbase(spends, suffix)).toMatchObject({ errorCode: "invalid-coinbase-tx-input" });
    expect(declaredCoinbase(prefix, suffix.subarray(1))).toMatchObject({ errorCode: "invalid-coinbase-tx" });
  });
});

describe("the structure of a declared block", () => {
  const blocks = [
    ...readFileSync(new URL("../../../vectors/bitcoin-blocks.json", import.meta.url), "utf8").matchAll(
      /"([0-9a-f]{400,})"/g,
    ),
  ].map(([, hex = ""]) => Uint8Array.from(Buffer.from(hex, "hex")));

  test("of real blocks is good, and of changed ones is not", () => {
    let segwit = 0;
    for (const bytes of blocks) {
      const block = parseBlock(bytes);
      const [first, ...rest] = block.transactions;
      const [, ...raws] = block.rawTransactions;
      if (first === undefined || rest.length < 2) continue;
      const [input] = first.inputs;
      const stripped = serializeTransaction(first, { witness: false });
      const coinbase: DeclaredCoinbase = {
        prefix: stripped.subarray(0, 42),
        suffix: stripped.subarray(42),
        extranonceSize: 0,
        witness: input?.witness ?? [],
        outputs: first.outputs,
        height: 0,
      };
      const body = {
        prevHash: new Uint8Array(32),
        version: 1,
        transactions: raws.map(knownTransaction),
        wtxids: raws.map((raw) => sha256d(raw)),
      };
      expect(structureFlaw(coinbase, body)).toBeUndefined();
      const twice = {
        ...body,
        transactions: [...body.transactions, body.transactions[0] as never],
        wtxids: [...body.wtxids, body.wtxids[0] as never],
      };
      expect(structureFlaw(coinbase, twice)).toContain("twice");
      if ((input?.witness.length ?? 0) === 0) continue;
      segwit += 1;
      const fewer = { ...body, transactions: body.transactions.slice(1), wtxids: body.wtxids.slice(1) };
      expect(structureFlaw(coinbase, fewer)).toContain("witness commitment");
      expect(structureFlaw({ ...coinbase, witness: [] }, body)).toContain("reserved value");
      const heavy = body.transactions.map((tx) => ({ ...tx, weight: 4_000_000 }));
      expect(structureFlaw(coinbase, { ...body, transactions: heavy })).toContain("weighs");
    }
    expect(segwit).toBeGreaterThan(0);
  });
});

describe("transactions", () => {
  test("are counted once however many jobs have them, and are gone with the last", () => {
    const store = new TransactionStore();
    const template = makeTemplate({ height: 1, prevHash: new Uint8Array(32) });
    const known = new Map((template.transactions ?? []).map((raw) => [toHex(sha256d(raw)), knownTransaction(raw)]));
    expect(store.find([...known.keys()][0] ?? "")).toBeUndefined();
    store.hold(known);
    const { bytes } = store;
    expect(bytes).toBe([...known.values()].reduce((sum, { raw }) => sum + raw.length, 0));
    expect(store.added(known)).toBe(0);
    store.hold(known);
    store.release(known.keys());
    expect(store.bytes).toBe(bytes);
    store.release(known.keys());
    expect(store.bytes).toBe(0);
    store.useTemplate(template);
    expect(store.find([...known.keys()][0] ?? "")?.txid).toEqual([...known.values()][0]?.txid);
  });
});

describe("declarations", () => {
  const setting = (propose: (block: Uint8Array) => Promise<ProposalAnswer>, declaredBytes = 1_000_000) => {
    const clock = new FakeClock();
    const template = makeTemplate({ height: 100, prevHash: new Uint8Array(32).fill(1), nBits: 0x207fffff });
    let now: typeof template | undefined = template;
    const declarations = new Declarations(
      {
        clock,
        random: seededRandom(2),
        log: silentLog,
        meter: silentMeter,
        template: () => now,
        subsidy: () => 5_000_000_000n,
        propose,
        payoutScript: Uint8Array.of(0x51),
        outputs: () => [],
        recognise: (job) => job,
      },
      { validation: "node", leastValuePercent: 90, tokenLifetimeMs: 1000, tokensPerClient: 4, declaredBytes },
    );
    const whole = customFields({
      height: 100,
      prevHash: template.prevHash,
      nBits: template.nBits,
      ntime: template.curTime,
      outputs: [{ value: template.coinbaseValue, script: Uint8Array.of(0x51) }, ...template.coinbase.outputs],
    });
    const { prefix, suffix } = customHalves(whole, 20, new Uint8Array(32));
    const coinbase = declaredCoinbase(prefix, suffix) as DeclaredCoinbase;
    const raws = template.transactions ?? [];
    const provided = new Map(raws.map((raw) => [toHex(sha256d(raw)), knownTransaction(raw)]));
    const wtxids = raws.map((raw) => sha256d(raw));
    const declare = (client = 1) =>
      declarations.judge(client, { allocation: allocation(client), coinbase, version: 1, wtxids, provided });
    return {
      declarations,
      declare,
      prefix,
      suffix,
      move: (to: typeof template | undefined) => {
        now = to;
      },
      template,
      provided,
    };
  };

  test.each([
    ["valid", { verdict: "valid" }, undefined],
    ["invalid", { verdict: "invalid", reason: "bad-txns-inputs-missingorspent" }, "invalid-job"],
    ["stale", { verdict: "stale", reason: "inconclusive-not-best-prevblk" }, "stale-chain-tip"],
    ["away", { verdict: "unknown", reason: "nobody listens" }, "internal-error"],
  ] as const)("are judged by the node: %s", async (_, answer, errorCode) => {
    const { declare } = setting(async () => answer);
    expect(await declare()).toMatchObject(errorCode === undefined ? { token: expect.any(Uint8Array) } : { errorCode });
  });

  test("are stale when a block comes while the node looks", async () => {
    let done: (answer: ProposalAnswer) => void = () => undefined;
    const { declare, move } = setting(
      () =>
        new Promise((resolve) => {
          done = resolve;
        }),
    );
    const verdict = declare();
    await Promise.resolve();
    move(makeTemplate({ height: 101, prevHash: new Uint8Array(32).fill(2) }));
    await new Promise((resolve) => setImmediate(resolve));
    done({ verdict: "valid" });
    expect(await verdict).toMatchObject({ errorCode: "stale-chain-tip" });
  });

  test("make room for each other within their bytes: the oldest job goes, and its token with it", async () => {
    const probe = setting(async () => ({ verdict: "valid" }));
    await probe.declare();
    const bytes = probe.declarations.declaredBytes;
    const { declare, declarations } = setting(async () => ({ verdict: "valid" }), bytes - 1);
    expect(await declare()).toMatchObject({ errorCode: "internal-error" });
    const small = setting(async () => ({ verdict: "valid" }), bytes);
    const first = (await small.declare(1)) as { token: Uint8Array };
    for (let client = 2; client < 40; client++) await small.declare(client);
    expect(small.declarations.declaredBytes).toBe(bytes);
    expect(small.declarations.redeem(first.token)).toEqual({ errorCode: "invalid-mining-job-token" });
    expect(declarations.declaredBytes).toBe(0);
  });

  test("are judged two at a time", async () => {
    let [running, most] = [0, 0];
    const { declare } = setting(async () => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 5));
      running -= 1;
      return { verdict: "valid" };
    });
    await Promise.all(Array.from({ length: 10 }, (_, client) => declare(client)));
    expect(most).toBe(2);
  });

  /** A client in full-template mode whose link is the test. */
  const client = ({ declarations, prefix, suffix }: ReturnType<typeof setting>, connection = 1) => {
    const sent: { readonly name: string; readonly value: Record<string, unknown> }[] = [];
    const back = new FrameDecoder({}, { maxFrameSize: 0xffffff });
    const clock = new FakeClock();
    const peer = new DeclarationPeer(
      {
        connection,
        send: (bytes) => {
          for (const { msgType, payload } of back.push(bytes)) {
            sent.push((msgType < 0x50 ? common : declaration).decode(msgType, payload) as never);
          }
        },
        clock,
        log: silentLog,
        declarations,
        blocks: () => undefined,
      },
      { coinbaseOnly: true },
    );
    const decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
    const say = (frame: Uint8Array) => decoder.push(frame).map((each) => peer.receive(each))[0];
    say(common.encode("SetupConnection", { ...SETUP_CONNECTION, protocol: 1, flags: 1 }));
    const declare = (requestId: number, wtxidList: readonly Uint8Array[]): void => {
      say(declaration.encode("AllocateMiningJobToken", { requestId: 1, userIdentifier: "u" }));
      const miningJobToken = sent.at(-1)?.value.miningJobToken as Uint8Array;
      say(
        declaration.encode("DeclareMiningJob", {
          requestId,
          miningJobToken,
          version: 1,
          coinbaseTxPrefix: prefix,
          coinbaseTxSuffix: suffix,
          wtxidList,
          excessData: new Uint8Array(0),
        }),
      );
    };
    return { say, sent, declare, peer, clock };
  };
  const unknown = (count: number, fill = 7): Uint8Array[] =>
    Array.from({ length: count }, (_, i) => {
      const wtxid = new Uint8Array(32).fill(fill);
      new DataView(wtxid.buffer).setUint32(0, i);
      return wtxid;
    });

  test("of more transactions than a block can have are refused before any is looked for", () => {
    const { declare, sent } = client(setting(async () => ({ verdict: "valid" }), 8_000_000));
    declare(5, unknown(16_667));
    expect(sent.at(-1)).toMatchObject({ name: "DeclareMiningJobError", value: { errorCode: "invalid-job" } });
    declare(6, unknown(16_666));
    expect(sent.at(-1)).toMatchObject({ name: "ProvideMissingTransactions", value: { requestId: 6 } });
  });

  test("under way hold bytes of one budget, and give them back at their end, however they end", async () => {
    const all = setting(async () => ({ verdict: "valid" }), 8_000_000);
    const { declarations } = all;
    const [a, b] = [client(all, 1), client(all, 2)];
    a.declare(5, unknown(14_000));
    expect(declarations.underWay.taken).toBe(4_200_000);
    b.declare(5, unknown(14_000, 8));
    expect(b.sent.at(-1)).toMatchObject({ name: "DeclareMiningJobError", value: { errorCode: "internal-error" } });
    a.clock.advance(31_000);
    a.peer.tick();
    expect(a.sent.at(-1)).toMatchObject({ name: "DeclareMiningJobError", value: { errorCode: "missing-txs" } });
    expect(declarations.underWay.taken).toBe(0);
    b.declare(6, unknown(14_000, 8));
    b.peer.close();
    expect(declarations.underWay.taken).toBe(0);
    a.declare(7, unknown(1));
    a.say(
      declaration.encode("ProvideMissingTransactionsSuccess", { requestId: 7, transactionList: [new Uint8Array(9)] }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(a.sent.at(-1)).toMatchObject({ name: "DeclareMiningJobError", value: { errorCode: "missing-txs" } });
    expect(declarations.underWay.taken).toBe(0);
    a.declare(8, unknown(1));
    a.say(
      declaration.encode("ProvideMissingTransactionsSuccess", {
        requestId: 8,
        transactionList: [new Uint8Array(9), new Uint8Array(9)],
      }),
    );
    expect(declarations.underWay.taken).toBe(0);
  });

  test("a client with a hundred solutions that are none is left", () => {
    const { declarations } = setting(async () => ({ verdict: "valid" }));
    const peer = new DeclarationPeer(
      {
        connection: 1,
        send: () => undefined,
        clock: new FakeClock(),
        log: silentLog,
        declarations,
        blocks: () => undefined,
      },
      { coinbaseOnly: true },
    );
    const decoder = new FrameDecoder({}, { maxFrameSize: 0xffffff });
    const say = (frame: Uint8Array) => decoder.push(frame).map((each) => peer.receive(each))[0];
    say(common.encode("SetupConnection", { ...SETUP_CONNECTION, protocol: 1, flags: 1 }));
    const solution = declaration.encode("PushSolution", {
      extranonce: new Uint8Array(20),
      prevHash: new Uint8Array(32),
      nonce: 0,
      ntime: 0,
      nbits: 0,
      version: 0,
    });
    for (let i = 0; i < 100; i++) expect(say(solution)).toBeUndefined();
    expect(say(solution)).toMatchObject({ code: "declaration-solutions-bogus" });
  });
});
