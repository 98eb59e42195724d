/** One connection's subscription to chain statistics: what it may cost, and what it never does. */
import { describe, expect, test } from "vitest";
import { type ChainStatistic, ChainSubscription, sharedSnapshot } from "../../../src/pool/chain-statistics.ts";
import { FrameDecoder } from "../../../src/sv2/frame.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { decodeMessage, type Message } from "../../support/messages.ts";

const NAMECOIN: ChainStatistic = {
  chain: "namecoin",
  height: 815_000,
  difficulty: 1.5,
  inJob: true,
  found: 3,
  accepted: 2,
};

/** A subscription, its clock, and what it sent. */
function subscription(chains: readonly ChainStatistic[] = [NAMECOIN]) {
  const clock = new FakeClock();
  const decoder = new FrameDecoder({}, { maxFrameSize: 0xffff });
  const sent: Message[] = [];
  const state = { waiting: 0, chains };
  const made = new ChainSubscription(
    {
      clock,
      send(bytes) {
        for (const frame of decoder.push(bytes)) {
          const message = decodeMessage(frame, "client");
          if (message !== undefined) sent.push(message);
        }
      },
      waiting: () => state.waiting,
      snapshot: () => state.chains,
    },
    { silenceLimitS: 900 },
  );
  /** Lets seconds pass as the server's tick does. */
  const pass = (seconds: number): void => {
    for (let second = 0; second < seconds; second++) {
      clock.advance(1000);
      made.tick();
    }
  };
  const reports = (): unknown[] => sent.filter(({ name }) => name === "ChainStatistics").map(({ value }) => value);
  const granted = (): unknown[] =>
    sent.filter(({ name }) => name === "SubscribeChainStatisticsSuccess").map(({ value }) => value);
  return { subscription: made, sent, state, pass, reports, granted };
}

describe("a subscription", () => {
  test("is granted, reported on at once, and then at its interval", () => {
    const { subscription: one, sent, pass, reports } = subscription();
    pass(60);
    expect(sent).toEqual([]);
    one.subscribe({ requestId: 7, interval: 30 });
    expect(sent[0]).toMatchObject({
      name: "SubscribeChainStatisticsSuccess",
      value: { requestId: 7, interval: 30, silenceLimit: 900 },
    });
    expect(reports()).toEqual([
      {
        requestId: 7,
        remaining: 0,
        chain: "namecoin",
        height: 815_000n,
        difficulty: 1.5,
        inJob: true,
        found: 3,
        accepted: 2,
      },
    ]);
    pass(29);
    expect(reports().length).toBe(1);
    pass(1);
    expect(reports().length).toBe(2);
    pass(300);
    expect(reports().length).toBe(12);
  });

  test("tells every chain with how many are still to come, and one without work as such", () => {
    const resting = { chain: "rsk", height: undefined, difficulty: undefined, inJob: false, found: 0, accepted: 0 };
    const tag = { ...NAMECOIN, chain: "tag", difficulty: Number.POSITIVE_INFINITY };
    const { subscription: one, reports } = subscription([NAMECOIN, resting, tag]);
    one.subscribe({ requestId: 1, interval: 5 });
    expect(reports()).toMatchObject([
      { chain: "namecoin", remaining: 2 },
      { chain: "rsk", remaining: 1, height: null, difficulty: null },
      { chain: "tag", remaining: 0, difficulty: Number.POSITIVE_INFINITY },
    ]);
  });

  test.each([0, 1, 4])("of %i seconds is one of 5", (interval) => {
    const { subscription: one, pass, reports, granted } = subscription();
    one.subscribe({ requestId: 1, interval });
    expect(granted()).toMatchObject([{ interval: 5 }]);
    pass(50);
    expect(reports().length).toBe(11);
  });

  test("takes the place of the one before and brings no report sooner", () => {
    const { subscription: one, pass, reports, granted } = subscription();
    for (let requestId = 0; requestId < 10_000; requestId++) one.subscribe({ requestId, interval: requestId % 2 });
    expect(granted().length).toBe(10_000);
    expect(reports()).toMatchObject([{ requestId: 0 }]);
    pass(5);
    expect(reports().slice(1)).toMatchObject([{ requestId: 9_999 }]);
    one.subscribe({ requestId: 10_000, interval: 3600 });
    pass(3599);
    expect(reports().length).toBe(2);
    pass(1);
    expect(reports().slice(2)).toMatchObject([{ requestId: 10_000 }]);
  });

  test("waits while its client has not taken what was sent, and queues nothing meanwhile", () => {
    const { subscription: one, state, pass, reports } = subscription();
    one.subscribe({ requestId: 1, interval: 5 });
    state.waiting = 4097;
    pass(600);
    expect(reports().length).toBe(1);
    state.chains = [{ ...NAMECOIN, found: 9 }];
    state.waiting = 4096;
    pass(1);
    expect(reports().slice(1)).toMatchObject([{ found: 9 }]);
    pass(4);
    expect(reports().length).toBe(2);
  });

  test("that ended brings nothing more", () => {
    const { subscription: one, pass, reports } = subscription();
    one.subscribe({ requestId: 1, interval: 5 });
    one.end();
    pass(60);
    expect(reports().length).toBe(1);
  });

  test("survives numbers that its fields cannot carry, and more chains than a report has room for", () => {
    const odd = [-1, 1.5, 2 ** 60].map((height) => ({ ...NAMECOIN, height, found: 2 ** 40, accepted: 2 ** 33 }));
    const { subscription: one, reports, state, pass } = subscription(odd);
    one.subscribe({ requestId: 1, interval: 5 });
    expect(reports()).toMatchObject(Array(3).fill({ height: null, found: 0xffffffff, accepted: 0xffffffff }));
    state.chains = Array(300).fill(NAMECOIN);
    pass(5);
    expect(reports().slice(3).length).toBe(100);
    expect(reports()[3]).toMatchObject({ remaining: 99 });
  });
});

test("the chains are asked once a second for all subscribers together", () => {
  const clock = new FakeClock();
  let asked = 0;
  const snapshot = sharedSnapshot({ clock }, () => {
    asked += 1;
    return [{ ...NAMECOIN, found: asked }];
  });
  for (let subscriber = 0; subscriber < 1000; subscriber++) expect(snapshot()[0]?.found).toBe(1);
  clock.advance(999);
  expect(snapshot()[0]?.found).toBe(1);
  clock.advance(1);
  expect(snapshot()[0]?.found).toBe(2);
  expect(asked).toBe(2);
});
