import { expect, test } from "vitest";
import { Fault } from "../../../../src/kernel/fault.ts";
import { devnet } from "../../../support/devnet.ts";
import { FakeClock } from "../../../support/fake-clock.ts";

test("a clock that stands before the genesis block is told as devnet-history-failed", () => {
  let thrown: unknown;
  try {
    devnet({}, new FakeClock(Date.UTC(2009, 0, 1)));
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(Fault);
  expect((thrown as Fault).code).toBe("devnet-history-failed");
  expect((thrown as Fault).help).toContain("clock");
});
