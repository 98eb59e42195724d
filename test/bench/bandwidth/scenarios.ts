/** What `npm run bench -- bandwidth` counts: stretches of mining, and for each the ways to carry it, the baseline first. */
import { CARRIERS, type CarrierName } from "./carriers.ts";
import type { Day, DayWish } from "./day.ts";
import type { Figures } from "./figures.ts";
import type { Network } from "./network.ts";
import { runSv1 } from "./sv1.ts";
import { RECORDED, type Sv1Dialect, TERSE } from "./sv1-lines.ts";
import { type Channels, runSv2 } from "./sv2.ts";

/** One row. */
export interface Scenario {
  readonly name: string;
  run(day: Day, network: Network): Promise<Figures>;
  /** The same in real time, where `run` does not have it. */
  readonly unhurried?: (day: Day, network: Network) => Promise<Figures>;
}

/** A table. */
export interface Stretch {
  readonly title: string;
  readonly wish: DayWish;
  /** The first is what the others are compared with. */
  readonly scenarios: readonly Scenario[];
}

/** How shares are acknowledged: in batches of so many, after so many seconds at the latest. */
type Ack = readonly [shares: number, seconds: number];

const EACH: Ack = [1, 5];
/** `jobs.ack_shares` and `jobs.ack_s` as they are unless the operator says otherwise. */
const DEFAULT: Ack = [10, 5];
/** Long enough for real batches of 6 shares a minute. */
const MINUTE: Ack = [10, 60];
/** Long enough for ten shares at six a minute. */
const TEN: Ack = [10, 120];
const HUNDRED: Ack = [100, 1200];

function sv1(name: string, dialect: Sv1Dialect, more: { tls?: boolean; joined?: boolean } = {}): Scenario {
  const options = { dialect, tls: false, joined: false, ...more };
  return { name: `SV1, ${name}`, run: (day, network) => runSv1(day, options, network) };
}

function sv2(carrier: CarrierName, channels: Channels, [ackShares, ackS]: Ack, apart = false): Scenario {
  const options = { carrier: CARRIERS[carrier], channels, apart, ackShares, ackS };
  const each = carrier.toLowerCase().includes("quic") ? ", a stream each" : ", a connection each";
  const name = `SV2, ${channels}${apart ? each : ""}, ${CARRIERS[carrier].name}, ${ackShares === 1 ? "each share" : `${ackShares} shares or ${ackS} s`}`;
  return { name, run: (day, network) => runSv2(day, options, network) };
}

/** A row of QUIC without keep-alive, and the same with what operators run. */
function sv2QuicTwice(channels: Channels, [ackShares, ackS]: Ack): Scenario {
  const real = { carrier: CARRIERS.quicProcess, channels, ackShares, ackS };
  return {
    ...sv2("quietQuic", channels, [ackShares, ackS]),
    unhurried: (day, network) => runSv2(day, real, network),
  };
}

/** The transports beside TCP, and the ways to acknowledge that they are counted with. */
const OTHERS: readonly CarrierName[] = ["tls", "plainTls", "quic", "plainQuic"];
const ACKS = [EACH, DEFAULT, MINUTE];

function others(channels: Channels): Scenario[] {
  return OTHERS.flatMap((carrier) => ACKS.map((ack) => sv2(carrier, channels, ack)));
}

/** What QUIC takes without its signs of life. */
function silent(channels: Channels): Scenario[] {
  return [sv2("quietQuic", channels, MINUTE), sv2("quietPlainQuic", channels, MINUTE)];
}

/** All tables. */
export const STRETCHES: readonly Stretch[] = [
  {
    title: "one miner, a day, 6 shares a minute",
    wish: { hours: 24, miners: 1, sharesPerMinute: 6, refreshS: 30, seed: 4 },
    scenarios: [
      sv1("as recorded", RECORDED),
      sv1("shortest spelling", TERSE),
      sv1("as recorded, TLS", RECORDED, { tls: true }),
      ...[EACH, DEFAULT, MINUTE, TEN, HUNDRED].map((ack) => sv2("noise", "standard", ack)),
      sv2("plain", "standard", TEN),
      ...others("standard"),
      ...silent("standard"),
      ...[EACH, DEFAULT, MINUTE, TEN, HUNDRED].map((ack) => sv2("noise", "extended", ack)),
      sv2("plain", "extended", TEN),
      ...others("extended"),
      ...silent("extended"),
    ],
  },
  {
    title: "one miner, an hour, 118 shares a minute as in the recorded session",
    wish: { hours: 1, miners: 1, sharesPerMinute: 118, refreshS: 30, seed: 2 },
    scenarios: [
      sv1("as recorded", RECORDED),
      ...[EACH, DEFAULT, HUNDRED].map((ack) => sv2("noise", "standard", ack)),
      ...[EACH, DEFAULT, HUNDRED].map((ack) => sv2("noise", "extended", ack)),
    ],
  },
  {
    title: "a farm of 100 miners, 20 minutes, 6 shares a minute each",
    wish: { hours: 1 / 3, miners: 100, sharesPerMinute: 6, refreshS: 30, seed: 4 },
    scenarios: [
      sv1("as recorded, a connection each", RECORDED),
      sv1("as recorded, one connection for all", RECORDED, { joined: true }),
      ...[EACH, DEFAULT, MINUTE, TEN].map((ack) => sv2("noise", "grouped standard", ack)),
      ...[DEFAULT, MINUTE].map((ack) => sv2("noise", "extended", ack)),
      sv2("noise", "aggregated", EACH),
      sv2("noise", "aggregated", DEFAULT),
      sv2("noise", "aggregated, workers named", DEFAULT),
      sv2("plain", "aggregated", DEFAULT),
      ...others("grouped standard"),
      sv2("noise", "standard", MINUTE, true),
      ...ACKS.map((ack) => sv2("quic", "standard", ack, true)),
      ...ACKS.map((ack) => sv2("plainQuic", "standard", ack, true)),
    ],
  },
];

/** A few minutes that are counted in a hurry and again without, to show that hurrying changes nothing. */
export const PACE: Stretch = {
  title: "one miner, ten minutes",
  wish: { hours: 1 / 6, miners: 1, sharesPerMinute: 6, refreshS: 30, seed: 5 },
  scenarios: [
    sv1("as recorded", RECORDED),
    ...[EACH, DEFAULT, TEN].map((ack) => sv2("noise", "standard", ack)),
    sv2("noise", "extended", DEFAULT),
    sv2("tls", "standard", DEFAULT),
    ...[EACH, DEFAULT].map((ack) => sv2QuicTwice("standard", ack)),
  ],
};
