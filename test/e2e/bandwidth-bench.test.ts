import { describe, expect, test } from "vitest";
import type { Carriage } from "../bench/bandwidth/carriage.ts";
import { CARRIERS, type Carrier, type CarrierName } from "../bench/bandwidth/carriers.ts";
import { makeDay } from "../bench/bandwidth/day.ts";
import type { Figures } from "../bench/bandwidth/figures.ts";
import { sharedNetwork } from "../bench/bandwidth/network.ts";
import { runSv1 } from "../bench/bandwidth/sv1.ts";
import { RECORDED } from "../bench/bandwidth/sv1-lines.ts";
import { type Channels, runSv2 } from "../bench/bandwidth/sv2.ts";

/** Chosen for having late shares, new blocks and a new difficulty. */
const DAY = makeDay({ hours: 1, miners: 3, sharesPerMinute: 6, refreshS: 30, seed: 4 });
const BLOCKS = DAY.events.filter((event) => event.kind === "job" && event.cause === "newBlock").length;
const network = sharedNetwork();

/** Bytes of one message of a kind, which must all be alike. */
function sizeOf({ messages }: Figures, name: string): number | undefined {
  const sum = messages[name];
  return sum === undefined ? undefined : sum.bytes / sum.count;
}

const total = ({ messages }: Figures): number => Object.values(messages).reduce((sum, { bytes }) => sum + bytes, 0);

test("the day has everything that is to be counted", () => {
  expect(DAY.late).toBeGreaterThan(0);
  expect(DAY.retargets).toBeGreaterThan(0);
  expect(DAY.jobs).toBeGreaterThan(120);
});

describe("SV1", () => {
  test.each([
    ["a connection each", false, 3],
    ["one connection for all", true, 1],
  ])("%s: every share is accounted for and every byte is a message's", async (_, joined, connections) => {
    const figures = await runSv1(DAY, { dialect: RECORDED, tls: false, joined }, network);
    expect(figures).toMatchObject({ accepted: DAY.shares - DAY.late, refused: DAY.late });
    expect(figures.messages).toMatchObject({
      submit: { count: DAY.shares },
      answer: { count: DAY.shares },
      notify: { count: (DAY.jobs + 1) * connections },
      set_difficulty: { count: DAY.retargets + connections },
    });
    // As recorded: 164 bytes and the newline.
    expect(sizeOf(figures, "submit")).toBe(165);
    expect(total(figures)).toBe(figures.upBytes + figures.downBytes);
  });

  test("TLS adds its records and nothing else", async () => {
    const plain = await runSv1(DAY, { dialect: RECORDED, tls: false, joined: true }, network);
    const tls = await runSv1(DAY, { dialect: RECORDED, tls: true, joined: true }, network);
    expect(tls.messages).toEqual(plain.messages);
    // A record of TLS 1.3 has 5 + 1 + 16 bytes.
    expect(tls.upBytes - plain.upBytes).toBeGreaterThanOrEqual(22 * DAY.shares);
    expect(tls.upBytes - plain.upBytes).toBeLessThan(22 * DAY.shares + 2000);
  });
});

describe("SV2", () => {
  const play = (channels: Channels, ackShares: number, carrier: Carrier = CARRIERS.noise): Promise<Figures> =>
    runSv2(DAY, { carrier, channels, ackShares, ackS: 120 }, network);

  test.each<[Channels, string, number]>([
    ["standard", "SubmitSharesStandard", 62],
    ["grouped standard", "SubmitSharesStandard", 62],
    // With the 16 bytes of extranonce that the server leaves to an extended channel.
    ["extended", "SubmitSharesExtended", 79],
    ["aggregated", "SubmitSharesExtended", 79],
    // `rig1` in a TLV of 5 + 4 bytes.
    ["aggregated, workers named", "SubmitSharesExtended", 88],
  ])("%s: every share is accounted for and every byte is a message's", async (channels, submit, size) => {
    const figures = await play(channels, 10);
    expect(figures).toMatchObject({ accepted: DAY.shares - DAY.late, refused: DAY.late });
    expect(figures.messages[submit]?.count).toBe(DAY.shares);
    expect(sizeOf(figures, submit)).toBe(size);
    expect(sizeOf(figures, "SubmitSharesSuccess")).toBe(58);
    expect(sizeOf(figures, "SubmitSharesError")).toBe(58);
    expect(sizeOf(figures, "SetNewPrevHash")).toBe(86);
    // Three acts' worth: 64 and 234 bytes.
    expect(figures.messages.handshake).toEqual({ count: 2, bytes: 298 });
    expect(total(figures)).toBe(figures.upBytes + figures.downBytes);
  });

  test("a standard channel's jobs are 83 and 87 bytes, and its new difficulties the day's", async () => {
    const figures = await play("standard", 1);
    const futures = 3 * (BLOCKS + 1);
    const active = 3 * (DAY.jobs - BLOCKS) + DAY.retargets;
    expect(figures.messages).toMatchObject({
      NewMiningJob: { count: futures + active, bytes: 83 * futures + 87 * active },
      SetTarget: { count: DAY.retargets, bytes: 74 * DAY.retargets },
      SubmitSharesSuccess: { count: DAY.shares - DAY.late },
    });
  });

  test.each<[Channels, number]>([
    ["grouped standard", 3],
    ["extended", 3],
    ["aggregated", 1],
  ])("%s: one stream of jobs, and a first one for each channel", async (channels, first) => {
    const { messages } = await play(channels, 10);
    expect(messages.SetNewPrevHash?.count).toBe(BLOCKS + first);
    const repeated = messages.SetTarget?.count ?? 0;
    const jobs = (messages.NewExtendedMiningJob?.count ?? 0) + (messages.NewMiningJob?.count ?? 0);
    expect(jobs).toBe(DAY.jobs + first + repeated);
  });

  test("without Noise each message is 32 bytes shorter", async () => {
    const figures = await play("standard", 10, CARRIERS.plain);
    expect(sizeOf(figures, "SubmitSharesStandard")).toBe(30);
    expect(figures.messages.handshake).toBeUndefined();
    expect(total(figures)).toBe(figures.upBytes + figures.downBytes);
  });
});

describe("SV2 on the other transports", () => {
  const play = (carrier: Carrier, apart: boolean): Promise<Figures> =>
    runSv2(DAY, { carrier, channels: "standard", apart, ackShares: 10, ackS: 60 }, network);

  test.each<[CarrierName, boolean]>([
    ["tls", false],
    ["tls", true],
    ["plainTls", false],
    ["quic", false],
    ["quic", true],
    ["plainQuic", true],
  ])("%s, miners apart: %s: every share is accounted for, as on TCP", async (name, apart) => {
    const carrier = CARRIERS[name];
    const figures = await play(carrier, apart);
    expect(figures).toMatchObject({ accepted: DAY.shares - DAY.late, refused: DAY.late });
    expect(figures.messages.SubmitSharesStandard?.count).toBe(DAY.shares);
    expect(sizeOf(figures, "SubmitSharesStandard")).toBe(carrier.noise ? 62 : 30);
    // Two flights of Noise for each connection or stream.
    expect(figures.messages.handshake?.count).toBe(carrier.noise ? 2 * (apart ? DAY.miners : 1) : undefined);
    expect(figures.messages.NewMiningJob?.count).toBe(DAY.miners * (DAY.jobs + 1) + DAY.retargets);
    const bytes = figures.upBytes + figures.downBytes;
    // QUIC's are those of its streams; each record of TLS has 22 more.
    if (name === "quic" || name === "plainQuic") expect(bytes).toBe(total(figures));
    else expect(bytes).toBeGreaterThan(total(figures) + 22 * DAY.shares);
  });

  test("TLS adds a record of 22 bytes to each share and little else on the way up", async () => {
    const [tls, tcp] = [await play(CARRIERS.tls, false), await play(CARRIERS.noise, false)];
    expect(tls.upBytes - tcp.upBytes).toBeGreaterThanOrEqual(22 * DAY.shares);
    expect(tls.upBytes - tcp.upBytes).toBeLessThan(22 * DAY.shares + 2000);
  });

  test("QUIC's keep-alive is that of the bench's hour: 360 signs of life of the client, 180 of the server, each acknowledged", async () => {
    const packets = async ({ noise, name, open }: Carrier): Promise<number> => {
      let carriage: Carriage | undefined;
      const watched: Carrier = {
        name,
        noise,
        async open(clock) {
          carriage = await open(clock);
          return carriage;
        },
      };
      await play(watched, false);
      return carriage?.traffic?.sent() ?? 0;
    };
    const more = (await packets(CARRIERS.quic)) - (await packets(CARRIERS.quietQuic));
    expect(more).toBeGreaterThan(0.9 * 2 * 540);
    expect(more).toBeLessThan(1.1 * 2 * 540);
  });
});
