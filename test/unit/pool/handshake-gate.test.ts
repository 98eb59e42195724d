import { describe, expect, test } from "vitest";
import { HandshakeGate } from "../../../src/pool/handshake-gate.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const ALICE = 1n;
const BOB = 2n;
const MALLORY = 3n;

describe("HandshakeGate", () => {
  test("lets a burst through at once and the rest at the rate, in order", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 100, burst: 2 });
    const turns: number[] = [];
    const entered = [0, 1, 2, 3, 4].map((i) => gate.enter(ALICE, () => turns.push(i)));
    expect(entered.map((place) => place === undefined)).toEqual([true, true, false, false, false]);
    expect(gate.waiting).toBe(3);
    clock.advance(9);
    expect(turns).toEqual([]);
    clock.advance(1);
    expect(turns).toEqual([2]);
    clock.advance(20);
    expect(turns).toEqual([2, 3, 4]);
    expect(gate.waiting).toBe(0);
    expect(clock.pending).toBe(0);
  });

  test("turns go round the subscribers: a crowd delays one miner by one turn", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 100, burst: 1 });
    const turns: bigint[] = [];
    gate.enter(MALLORY, () => undefined);
    for (let i = 0; i < 1000; i++) gate.enter(MALLORY, () => turns.push(MALLORY));
    gate.enter(ALICE, () => turns.push(ALICE));
    gate.enter(BOB, () => turns.push(BOB));
    gate.enter(ALICE, () => turns.push(ALICE));
    clock.advance(60);
    expect(turns).toEqual([MALLORY, ALICE, BOB, MALLORY, ALICE, MALLORY]);
  });

  test("nobody overtakes those who wait, even when a token is there again", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 1, burst: 1 });
    gate.enter(ALICE, () => undefined);
    const turns: string[] = [];
    gate.enter(BOB, () => turns.push("bob"));
    expect(gate.enter(ALICE, () => turns.push("alice"))).toBeDefined();
    clock.advance(2000);
    expect(turns).toEqual(["bob", "alice"]);
  });

  test("who leaves loses the turn, and the last to leave stops the timer", () => {
    const clock = new FakeClock();
    const gate = new HandshakeGate({ clock }, { perSecond: 10, burst: 1 });
    gate.enter(ALICE, () => undefined);
    const turns: string[] = [];
    const bob = gate.enter(BOB, () => turns.push("bob"));
    const mallory = gate.enter(MALLORY, () => turns.push("mallory"));
    bob?.leave();
    bob?.leave();
    clock.advance(100);
    expect(turns).toEqual(["mallory"]);
    mallory?.leave();
    const again = gate.enter(BOB, () => turns.push("bob"));
    again?.leave();
    expect(clock.pending).toBe(0);
    expect(gate.waiting).toBe(0);
    clock.advance(1000);
    expect(turns).toEqual(["mallory"]);
  });
});
