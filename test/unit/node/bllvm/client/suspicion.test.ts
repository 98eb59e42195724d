/** Who is to blame for a closed connection, and what follows. */
import { describe, expect, test } from "vitest";
import type { Operation } from "../../../../../src/node/bllvm/client/operations.ts";
import { Spelling } from "../../../../../src/node/bllvm/client/spelling.ts";
import { Suspicion } from "../../../../../src/node/bllvm/client/suspicion.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { recordingLog } from "../../../../support/recording-log.ts";

function setUp(attempts = 1) {
  const clock = new FakeClock();
  const log = recordingLog();
  const told: string[][] = [];
  const suspicion: Suspicion = new Suspicion(
    { clock, log, onUnusable: () => told.push(suspicion.unusable()) },
    { attempts: () => attempts },
  );
  const costs = (...operations: Operation[]): void => {
    suspicion.closed(operations);
    suspicion.convict();
  };
  return { clock, log, suspicion, costs, told };
}

describe("Suspicion", () => {
  test("blames the one request that was unanswered, and sends it no more", () => {
    const { suspicion, costs, log, told } = setUp();
    expect(suspicion.admit("PublishEvent")).toEqual({ may: true, attempt: 0, alone: true });
    costs("PublishEvent");
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: false, why: "unusable" });
    expect(told).toEqual([["GetNetworkStats", "RegisterModuleApi", "PublishEvent"]]);
    expect(log.lines.map(({ message }) => message)).toEqual([
      expect.stringContaining("Not sent any more: PublishEvent, GetNetworkStats, RegisterModuleApi."),
    ]);
  });

  test("of the one that needs a capability concludes that none is known, unless one was answered; a block is handed over all the same", () => {
    const { suspicion, costs } = setUp();
    costs("GetNetworkStats");
    for (const other of ["PublishEvent", "RegisterModuleApi"] as const) {
      expect(suspicion.admit(other)).toMatchObject({ may: false, why: "unusable" });
    }
    expect(suspicion.admit("RegisterCliSpec")).toMatchObject({ may: true });
    expect(suspicion.admit("GetSyncStatus")).toMatchObject({ may: true });
    expect(suspicion.admit("QueueReceivedBlock")).toMatchObject({ may: true });
    // The node loaded the module meanwhile: it took a block.
    suspicion.answered("QueueReceivedBlock");
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: true });
    costs("PublishEvent");
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: false, why: "unusable" });
    expect(suspicion.admit("RegisterModuleApi")).toMatchObject({ may: true });
  });

  test("of an answer to something else learns the spelling alone", () => {
    const { suspicion } = setUp();
    suspicion.misspelled("PublishEvent");
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: false });
    expect(suspicion.admit("RegisterModuleApi")).toMatchObject({ may: true });
  });

  test("blames nobody when the node itself was going away", () => {
    const { suspicion, log } = setUp();
    suspicion.closed(["PublishEvent"]);
    suspicion.acquit();
    suspicion.convict();
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: true });
    expect(log.lines).toEqual([]);
  });

  test("asks several suspects alone, until they were answered", () => {
    const { suspicion, costs } = setUp();
    expect(suspicion.admit("GetBlock")).toMatchObject({ alone: false });
    costs("GetBlock", "GetChainInfo", "GetBlock");
    expect(suspicion.admit("GetBlock")).toMatchObject({ may: true, alone: true });
    expect(suspicion.admit("GetChainInfo")).toMatchObject({ may: true, alone: true });
    expect(suspicion.admit("GetBlockHeader")).toMatchObject({ may: true, alone: false });
    suspicion.answered("GetBlock");
    expect(suspicion.admit("GetBlock")).toMatchObject({ alone: false });
  });

  test("lets a read rest ever longer, for five minutes at most, and never gives it up", () => {
    const { suspicion, costs, clock, log } = setUp();
    const rests: number[] = [];
    for (let i = 0; i < 9; i++) {
      costs("GetChainTip");
      const admission = suspicion.admit("GetChainTip");
      const restMs = admission.may ? 0 : admission.restMs;
      rests.push(restMs / 1000);
      clock.advance(restMs);
      expect(suspicion.admit("GetChainTip")).toMatchObject({ may: true, alone: true });
    }
    expect(rests).toEqual([5, 10, 20, 40, 80, 160, 300, 300, 300]);
    expect(suspicion.unusable()).toEqual([]);
    expect(log.lines).toHaveLength(1);
    suspicion.answered("GetChainTip");
    expect(suspicion.admit("GetChainTip")).toEqual({ may: true, attempt: 0, alone: false });
  });

  test("tries each spelling once", () => {
    const { suspicion, costs } = setUp(2);
    costs("PublishEvent");
    expect(suspicion.admit("PublishEvent")).toEqual({ may: true, attempt: 1, alone: true });
    suspicion.misspelled("PublishEvent");
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: false });
  });

  test("tries each spelling of a block twice, since the node may have fallen and risen again within a moment", () => {
    const { suspicion, costs } = setUp(2);
    const tried: number[] = [];
    for (let i = 0; i < 9; i++) {
      const admission = suspicion.admit("QueueReceivedBlock");
      if (!admission.may) break;
      tried.push(admission.attempt);
      costs("QueueReceivedBlock");
    }
    expect(tried).toEqual([0, 1, 0, 1]);
  });

  test("gives a request that was answered once a second chance in the same spelling, again and again", () => {
    const { suspicion, costs } = setUp(2);
    costs("QueueReceivedBlock");
    suspicion.answered("QueueReceivedBlock");
    for (let i = 0; i < 5; i++) {
      costs("QueueReceivedBlock");
      expect(suspicion.admit("QueueReceivedBlock")).toEqual({ may: true, attempt: 1, alone: true });
      suspicion.answered("QueueReceivedBlock");
    }
    costs("QueueReceivedBlock");
    costs("QueueReceivedBlock");
    expect(suspicion.admit("QueueReceivedBlock")).toMatchObject({ may: false });
  });

  test("lets what is not needed cost three connections altogether, and a block still goes out after that", () => {
    const { suspicion, costs, log } = setUp(3);
    costs("PublishEvent");
    costs("RegisterModuleApi");
    expect(suspicion.admit("GetNetworkStats")).toMatchObject({ may: true });
    costs("PublishEvent");
    for (const operation of ["PublishEvent", "RegisterModuleApi", "GetNetworkStats", "GetSyncStatus"] as const) {
      expect(suspicion.admit(operation)).toMatchObject({ may: false, why: "unusable" });
    }
    expect(suspicion.admit("QueueReceivedBlock")).toMatchObject({ may: true });
    expect(suspicion.admit("GetBlock")).toMatchObject({ may: true });
    expect(log.lines.filter(({ message }) => message.includes("cost 3 connections"))).toHaveLength(1);
    suspicion.forget();
    expect(suspicion.admit("PublishEvent")).toMatchObject({ may: true, attempt: 0 });
  });
});

describe("Spelling", () => {
  test("knows the ways that differ, each once", () => {
    expect(new Spelling(["s1", "s2"]).of("PublishEvent")).toEqual(["s1", "s2"]);
    expect(new Spelling(["s2", "s3"]).of("PublishEvent")).toEqual(["s2"]);
    expect(new Spelling(["s2", "s3"]).of("QueueReceivedBlock")).toEqual(["s3"]);
    expect(new Spelling(["n2", "n1", "n0"]).of("RegisterCliSpec")).toEqual([]);
  });

  test("publishes nothing in S4, whose events carry nothing", () => {
    expect(new Spelling(["s4"]).of("PublishEvent")).toEqual([]);
    expect(new Spelling(["s4", "s3"]).of("PublishEvent")).toEqual(["s3"]);
  });

  test("tries what was right for one request first for the next, and keeps the order of the old", () => {
    const spelling = new Spelling(["s1", "s2"]);
    expect(spelling.of("RegisterModuleApi")).toEqual(["s1", "s2"]);
    spelling.proved("PublishEvent", 1);
    expect(spelling.of("RegisterCliSpec")).toEqual(["s2", "s1"]);
    expect(spelling.of("RegisterModuleApi")).toEqual(["s1", "s2"]);
  });
});
