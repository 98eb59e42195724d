import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../src/kernel/bytes.ts";
import type { UpstreamShare } from "../../../src/mining/upstream-ports.ts";
import { ChannelShares } from "../../../src/upstream/channel-shares.ts";
import { channelIdentity, workerName } from "../../../src/upstream/identities.ts";
import { ShareTally } from "../../../src/upstream/share-tally.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { recordingMeter } from "../../support/recording-meter.ts";
import { poolJobMessage, shareOf, submit, u256, upstreamStage } from "../../support/upstream-stage.ts";
import sri from "../../vectors/sri-messages.json" with { type: "json" };

describe("a share", () => {
  /** SRI's encoder on the same values (test/vectors/sri-messages.json). */
  const goldens = sri.messages.filter(({ name }) => name === "SubmitSharesExtended");
  const plain = goldens.find((golden) => golden.case === "typical" && !("tlvs" in golden));
  const named = goldens.find((golden) => golden.case === "typical" && "tlvs" in golden);

  test.each([
    ["with its worker", named],
    ["without", plain],
  ])("is, %s, byte by byte what SRI's client sends", (_what, golden) => {
    if (golden === undefined) throw new Error("the vector is missing");
    const fields = golden.fields as unknown as {
      channelId: number;
      sequenceNumber: number;
      jobId: number;
      nonce: number;
      ntime: number;
      version: number;
      extranonce: string;
    };
    const { channelId, sequenceNumber, jobId, nonce, ntime, version } = fields;
    const extranonce = fromHex(fields.extranonce);
    const [tlv] = "tlvs" in golden ? (golden.tlvs as { valueHex: string }[]) : [];
    const worker = tlv === undefined ? undefined : Buffer.from(tlv.valueHex, "hex").toString();
    const sent: Uint8Array[] = [];
    const shares = new ChannelShares(
      {
        clock: new FakeClock(),
        log: recordingLog(),
        send: (frame) => void sent.push(frame),
        tally: new ShareTally({ meter: recordingMeter() }, { pool: "main" }),
        namesWorkers: () => worker !== undefined,
      },
      { channelId, extranonceSize: extranonce.length, timeoutMs: 10_000, firstSequenceNumber: sequenceNumber },
    );
    const share: UpstreamShare = {
      work: { pool: "main", connection: 1, channelId, jobId, target: u256(1), difficulty: 1 },
      version,
      ntime,
      nonce,
      extranonce,
      userIdentity: `account.${worker ?? "x"}`,
      block: false,
    };
    expect(shares.submit(share, () => undefined)).toBe(true);
    expect(sent.map(toHex)).toEqual([golden.frameHex]);
  });

  test("has number 0 behind 2^32 - 1, and is answered there too", () => {
    const sent: Uint8Array[] = [];
    const said: unknown[] = [];
    const shares = new ChannelShares(
      {
        clock: new FakeClock(),
        log: recordingLog(),
        send: (frame) => void sent.push(frame),
        tally: new ShareTally({ meter: recordingMeter() }, { pool: "main" }),
        namesWorkers: () => false,
      },
      { channelId: 4, extranonceSize: 8, timeoutMs: 10_000, firstSequenceNumber: 0xfffffffe },
    );
    const work = { pool: "main", connection: 1, channelId: 4, jobId: 1, target: u256(1), difficulty: 1 };
    for (let nonce = 0; nonce < 4; nonce++) {
      const share = {
        work,
        version: 1,
        ntime: 1,
        nonce,
        extranonce: new Uint8Array(8),
        userIdentity: "a",
        block: false,
      };
      shares.submit(share, (answer) => void said.push(`${nonce} ${answer}`));
    }
    const numberOf = (frame: Uint8Array): number => new DataView(frame.buffer, frame.byteOffset).getUint32(10, true);
    expect(sent.map(numberOf)).toEqual([0xfffffffe, 0xffffffff, 0, 1]);
    shares.refused({ sequenceNumber: 0xffffffff, errorCode: "stale-share" });
    shares.accepted({ lastSequenceNumber: 0, newSubmitsAcceptedCount: 2 });
    shares.accepted({ lastSequenceNumber: 1, newSubmitsAcceptedCount: 1 });
    expect(said).toEqual(["1 stale-share", "0 undefined", "2 undefined", "3 undefined"]);
  });

  test("is numbered, and answered when the pool spoke of it", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server, connection, meter } = stage;
    const all = [1, 2, 3, 4].map((nonce) => submit(stage, { nonce }));
    expect(all.every(({ isSent }) => isSent)).toBe(true);
    expect(server.got("SubmitSharesExtended").map(({ sequenceNumber, nonce }) => [sequenceNumber, nonce])).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
    ]);
    expect(all.flatMap(({ answers }) => answers)).toEqual([]);
    server.send("SubmitSharesError", { channelId: 2, sequenceNumber: 1, errorCode: "stale-share" });
    server.send("SubmitSharesSuccess", {
      channelId: 2,
      lastSequenceNumber: 2,
      newSubmitsAcceptedCount: 2,
      newSharesSum: 2n,
    });
    server.send("SubmitSharesError", { channelId: 2, sequenceNumber: 3, errorCode: "their own\u0007 words" });
    expect(all.map(({ answers }) => answers)).toEqual([
      [undefined],
      ["stale-share"],
      [undefined],
      ["their own? words"],
    ]);
    expect(connection.state().shares).toEqual({ sent: 4, accepted: 2, refused: 2, unanswered: 0, waiting: 0 });
    expect(meter.sums.get("upstream_shares_sent_total{pool=main}")).toBe(4);
    expect(meter.sums.get("upstream_shares_accepted_total{pool=main}")).toBe(2);
    expect(meter.sums.get("upstream_shares_rejected_total{pool=main,error_code=stale-share}")).toBe(1);
    expect(meter.sums.get("upstream_shares_rejected_total{pool=main,error_code=other}")).toBe(1);
  });

  test("of an earlier job goes up with that job's id", async () => {
    const stage = upstreamStage();
    await stage.run();
    const first = stage.job();
    stage.server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2, minNtime: 1_700_000_050 }));
    submit(stage);
    stage.connection.submit(shareOf(first), () => undefined);
    expect(stage.server.got("SubmitSharesExtended").map(({ jobId }) => jobId)).toEqual([2, 1]);
  });

  test("of another connection, another channel or another extranonce is not sent", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { work } = shareOf(stage.job());
    expect(submit(stage, { work: { ...work, connection: 8 } }).isSent).toBe(false);
    expect(submit(stage, { work: { ...work, channelId: 3 } }).isSent).toBe(false);
    expect(submit(stage, { extranonce: new Uint8Array(8) }).isSent).toBe(false);
    expect(stage.server.got("SubmitSharesExtended")).toEqual([]);
    expect(stage.meter.sums.get("upstream_shares_unsent_total{pool=main,why=gone}")).toBe(3);
  });

  test("that is not answered within ten seconds gets none", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    stage.clock.advance(9_999);
    expect(answers).toEqual([]);
    stage.clock.advance(1);
    expect(answers).toEqual([null]);
    // Late answers count, and change nothing.
    stage.server.send("SubmitSharesSuccess", {
      channelId: 2,
      lastSequenceNumber: 0,
      newSubmitsAcceptedCount: 1,
      newSharesSum: 1n,
    });
    expect(answers).toEqual([null]);
    expect(stage.connection.state().shares).toMatchObject({ accepted: 1, unanswered: 1, waiting: 0 });
    expect(stage.meter.sums.get("upstream_shares_unanswered_total{pool=main}")).toBe(1);
    expect(stage.meter.sums.has("upstream_acknowledgements_odd_total{pool=main}")).toBe(false);
  });

  test("that is refused too late is counted, and told now and then", async () => {
    const stage = upstreamStage({ answerTimeoutMs: 5_000 });
    await stage.run();
    const all = [1, 2, 3].map((nonce) => submit(stage, { nonce }));
    stage.clock.advance(5_000);
    expect(all.map(({ answers }) => answers)).toEqual([[null], [null], [null]]);
    const refuse = (sequenceNumber: number): void =>
      stage.server.send("SubmitSharesError", { channelId: 2, sequenceNumber, errorCode: "stale-share" });
    const told = () => stage.log.lines.filter(({ level }) => level === "warn").map(({ fields }) => fields.shares);
    refuse(0);
    refuse(1);
    expect(told()).toEqual([1]);
    stage.clock.advance(10_000);
    refuse(2);
    expect(told()).toEqual([1, 2]);
    expect(all.map(({ answers }) => answers)).toEqual([[null], [null], [null]]);
    expect(stage.meter.sums.get("upstream_shares_rejected_total{pool=main,error_code=stale-share}")).toBe(3);
    expect(stage.connection.state().shares).toMatchObject({ sent: 3, refused: 3, unanswered: 3, waiting: 0 });
  });

  test("is not sent when 16,384 wait, unless it is a block", async () => {
    const stage = upstreamStage();
    await stage.run();
    for (let i = 0; i < 16_384; i++) expect(submit(stage).isSent).toBe(true);
    expect(submit(stage).isSent).toBe(false);
    expect(stage.meter.sums.get("upstream_shares_unsent_total{pool=main,why=full}")).toBe(1);
    expect(submit(stage, { block: true }).isSent).toBe(true);
    stage.server.send("SubmitSharesSuccess", {
      channelId: 2,
      lastSequenceNumber: 9,
      newSubmitsAcceptedCount: 10,
      newSharesSum: 10n,
    });
    expect(submit(stage).isSent).toBe(true);
    for (let i = 0; i < 20_000; i++) submit(stage, { block: true });
    expect(submit(stage, { block: true }).isSent).toBe(false);
  });

  test("that is a block is told, sent or not", async () => {
    const stage = upstreamStage();
    await stage.run();
    submit(stage, { block: true, nonce: 5 });
    expect(stage.blocks.map(({ nonce }) => nonce)).toEqual([5]);
    expect(stage.log.lines.filter(({ message }) => /solves a Bitcoin block went/.test(message))).toHaveLength(1);
    stage.server.send("CloseChannel", { channelId: 2, reasonCode: "" });
    const { work } = shareOf(stage.job());
    submit(stage, { block: true, work: { ...work, channelId: 2 } });
    expect(stage.blocks).toHaveLength(2);
    expect(stage.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("that is a block like all others of its job, as a pool can make them by its nbits, is one line a job in the log", async () => {
    const stage = upstreamStage();
    await stage.run();
    for (let nonce = 0; nonce < 100; nonce++) submit(stage, { block: true, nonce });
    const told = (): number => stage.log.lines.filter(({ level }) => level === "info" || level === "error").length;
    const before = told();
    for (let nonce = 0; nonce < 100; nonce++) submit(stage, { block: true, nonce });
    expect(told()).toBe(before);
    expect(stage.log.lines.filter(({ message }) => /solves a Bitcoin block went/.test(message))).toHaveLength(200);
    expect(stage.blocks).toHaveLength(200);
    submit(stage, { block: true, work: { ...shareOf(stage.job()).work, jobId: 77 } });
    expect(told()).toBe(before + 1);
  });

  test("whose answer cannot be passed on costs nobody anything", async () => {
    const stage = upstreamStage();
    await stage.run();
    stage.connection.submit(shareOf(stage.job()), () => {
      throw new TypeError("no");
    });
    const { answers } = submit(stage);
    stage.server.send("SubmitSharesSuccess", {
      channelId: 2,
      lastSequenceNumber: 1,
      newSubmitsAcceptedCount: 2,
      newSharesSum: 2n,
    });
    expect(answers).toEqual([undefined]);
    expect(await stage.goesOn()).toBe(true);
    expect(stage.log.lines.filter(({ level }) => level === "error")).toHaveLength(1);
  });

  test("that nobody sent can be neither accepted nor refused", async () => {
    const stage = upstreamStage();
    await stage.run();
    const batch = { channelId: 2, lastSequenceNumber: 0xffffffff, newSubmitsAcceptedCount: 0xffffffff };
    stage.server.send("SubmitSharesSuccess", { ...batch, newSharesSum: 0n });
    stage.server.send("SubmitSharesError", { channelId: 2, sequenceNumber: 4, errorCode: "stale-share" });
    expect(stage.connection.state().shares).toEqual({ sent: 0, accepted: 0, refused: 0, unanswered: 0, waiting: 0 });
    expect(stage.meter.sums.get("upstream_acknowledgements_odd_total{pool=main}")).toBe(2);
    expect(await stage.goesOn()).toBe(true);
  });
});

describe("the hash rate", () => {
  test("is announced when it changed by more than a fifth, and not more often than every ten seconds", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { connection, clock, server } = stage;
    const told = (): number[] => server.got("UpdateChannel").map(({ nominalHashRate }) => nominalHashRate);
    expect(server.got("OpenExtendedMiningChannel")[0]?.nominalHashRate).toBe(Math.fround(1e12));
    connection.announceHashrate(2e12);
    expect(told()).toEqual([]);
    clock.advance(10_000);
    expect(told()).toEqual([Math.fround(2e12)]);
    clock.advance(10_000);
    connection.announceHashrate(2.3e12);
    connection.announceHashrate(1.7e12);
    expect(told()).toHaveLength(1);
    connection.announceHashrate(2.5e12);
    clock.advance(10_000);
    connection.announceHashrate(1.9e12);
    expect(told()).toEqual([2e12, 2.5e12, 1.9e12].map(Math.fround));
    expect(server.got("UpdateChannel")[0]).toMatchObject({ channelId: 2, maximumTarget: u256(0xff) });
  });

  test.each([0, -1, Number.NaN, 1e300, Number.POSITIVE_INFINITY])(
    "of %d is announced as one that pools can take",
    async (rate) => {
      const stage = upstreamStage();
      stage.connection.announceHashrate(rate);
      await stage.run();
      const { nominalHashRate } = stage.server.got("OpenExtendedMiningChannel")[0] ?? { nominalHashRate: Number.NaN };
      expect(nominalHashRate).toBe(rate > 1 ? Math.fround(3.4e38) : 1);
    },
  );
});

describe("names of miners at the pool", () => {
  test.each([
    ["account.rig1", "rig1", "us.rig1"],
    ["account.farm.rig1", "farm.rig1", "us.farm.rig1"],
    ["rig1", "rig1", "us.rig1"],
    ["account.", "", "us"],
    ["", "", "us"],
    [".x", "x", "us.x"],
  ])("%j is %j in a share and %j as a channel", (identity, worker, channel) => {
    expect(workerName(identity)).toBe(worker);
    expect(channelIdentity("us", identity)).toBe(channel);
  });

  test("are cut at a character's end", () => {
    expect(workerName(`a.${"x".repeat(33)}`)).toBe("x".repeat(32));
    expect(workerName(`a.${"é".repeat(17)}`)).toBe("é".repeat(16));
    expect(workerName(`a.x${"é".repeat(17)}`)).toBe(`x${"é".repeat(15)}`);
    expect(workerName(`a.${"x".repeat(29)}😀`)).toBe("x".repeat(29));
    expect(Buffer.byteLength(channelIdentity("us", `a.${"€".repeat(200)}`))).toBe(3 + 252);
    expect(channelIdentity("u".repeat(255), "a.rig1")).toBe("u".repeat(255));
  });
});
