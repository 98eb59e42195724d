import { describe, expect, test } from "vitest";
import { isWellFormedIdentity } from "../../../src/mining/user-identity.ts";
import { WorkerIdentities } from "../../../src/mining/worker-identities.ts";

function counting(refused: string): { asked: string[]; identities: WorkerIdentities } {
  const asked: string[] = [];
  const authoriser = {
    authorise(user: string) {
      asked.push(user);
      return user === refused ? { allowed: false as const, errorCode: "unknown-user" } : { allowed: true as const };
    },
  };
  return { asked, identities: new WorkerIdentities({ authoriser }, { capacity: 3 }) };
}

describe("WorkerIdentities", () => {
  test("asks once for each worker, allowed or not", () => {
    const { asked, identities } = counting("mallory");
    for (let i = 0; i < 3; i++) {
      expect(identities.ask("alice.1")).toEqual({ refusal: undefined });
      expect(identities.ask("mallory")).toEqual({ refusal: "unknown-user" });
    }
    expect(asked).toEqual(["alice.1", "mallory"]);
  });

  test("at the bound takes no further name, and knows the others as before", () => {
    const { asked, identities } = counting("b");
    for (const user of ["a", "b", "c"]) identities.ask(user);
    expect(identities.ask("d")).toBeUndefined();
    expect([identities.ask("a"), identities.ask("b")]).toEqual([{ refusal: undefined }, { refusal: "unknown-user" }]);
    expect([identities.takes("c"), identities.takes("d")]).toEqual([true, false]);
    expect(identities.size).toBe(3);
    expect(asked).toEqual(["a", "b", "c"]);
  });
});

describe("isWellFormedIdentity", () => {
  test.each(["", "alice.worker1", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4.rig", "sri/donate/20/x", "Jürgen ⛏"])(
    "takes %j",
    (identity) => {
      expect(isWellFormedIdentity(identity)).toBe(true);
    },
  );

  test.each(["a\nb", "\u0000", "\u001b[31m", "a\u007f", "\u0085", "\ufffd"])("refuses %j", (identity) => {
    expect(isWellFormedIdentity(identity)).toBe(false);
  });
});
