/** What the kit sees of a plugin from outside: what it leaves behind, throws where nobody listens, and says. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { checks, runChecks } from "../../src/kit/checks.ts";
import { endingOf, pause } from "../../src/kit/deadline.ts";
import { KitFailure } from "../../src/kit/failure.ts";
import { Footprint } from "../../src/kit/footprint.ts";
import { LooseEnds } from "../../src/kit/loose-ends.ts";
import { Witness } from "../../src/kit/witness.ts";
import { packageJson, pretendCoin, pretendRehearsal, withChain } from "./pretend-coin.ts";

describe("a footprint", () => {
  test("shows timers until they are gone, also those that do not keep the process alive, and whose line made them", async () => {
    const footprint = new Footprint();
    const other = setTimeout(() => {}, 10_000);
    const timer = footprint.run(() => setTimeout(() => {}, 10_000).unref());
    expect(footprint.standing()).toEqual([
      { what: "a timer", where: expect.stringMatching(/^conduct\.test\.ts:\d+:\d+$/) },
    ]);
    clearTimeout(timer);
    await pause(5);
    expect(footprint.standing()).toEqual([]);
    clearTimeout(other);
    footprint.close();
  });

  test("follows what code does later, and leaves alone the connections of the global fetch", async () => {
    const server = createServer((_, response) => response.end("x")).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const footprint = new Footprint();
    let timer: NodeJS.Timeout | undefined;
    await footprint.run(async () => {
      await (await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)).text();
      timer = setTimeout(() => {}, 10_000);
    });
    expect(footprint.standing().map(({ what }) => what)).toEqual(["a timer"]);
    clearTimeout(timer);
    footprint.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("loose ends", () => {
  test("are the plugin's where it made the promise; those of others reach who listened before", async () => {
    const others: unknown[] = [];
    const listeners = process.listeners("unhandledRejection");
    process.removeAllListeners("unhandledRejection");
    process.on("unhandledRejection", (reason) => void others.push(reason));
    const footprint = new Footprint();
    const loose = new LooseEnds();
    await loose.during(footprint, async () => {
      footprint.run(() => void Promise.reject(new Error("the plugin's")));
      void Promise.reject("somebody else's");
    });
    footprint.close();
    process.removeAllListeners("unhandledRejection");
    for (const each of listeners) process.on("unhandledRejection", each);
    expect(loose.found).toEqual(["a rejection that nothing handles: the plugin's"]);
    expect(others).toEqual(["somebody else's"]);
  });

  test("an exception in a plugin's timer ends no process and fails the rule", { timeout: 60_000 }, async () => {
    const before = process.listeners("uncaughtException");
    const plugin = withChain((chain, host) => ({
      start: async () => {
        host.clock.after(5, () => {
          throw new Error("thrown in a timer");
        });
        await chain.start();
      },
    }));
    const { results } = await runChecks(plugin, pretendRehearsal(), { packageJson, withinMs: 1200 });
    const failed = results.filter(({ outcome }) => outcome === "failed").map(({ rule, seen }) => [rule, seen]);
    expect(failed).toEqual([["loose-ends", "an exception that nothing catches: thrown in a timer"]]);
    expect(process.listeners("uncaughtException")).toEqual(before);
  });
});

describe("a witness", () => {
  const secret = "correct horse/battery";
  test.each([
    ["plain", `refused for ${secret}!`],
    ["in a URL", `http://user:${encodeURIComponent(secret)}@127.0.0.1`],
    ["in an Authorization header", Buffer.from(`user:${secret}`).toString("base64")],
    ["in an Authorization header, one byte further", Buffer.from(`user1:${secret}`).toString("base64")],
    ["in an Authorization header, two bytes further", Buffer.from(`user12:${secret}`).toString("base64")],
    ["in hex", Buffer.from(secret).toString("hex")],
    ["in a cause of an error", new Error("no", { cause: new Error(`said ${secret}`) })],
    ["deep in a field", { a: { b: { c: [{ headers: new Map([["authorization", secret]]) }] } } }],
  ])("finds a secret %s", (_how, said) => {
    const witness = new Witness();
    witness.hear("a log line", "nothing");
    witness.log().warn("the daemon refused", { error: said });
    expect(witness.leak([secret])?.where).toBe("a log line (warn)");
    expect(witness.leak(["another secret"])).toBeUndefined();
  });

  test("judges names and values of measurements", () => {
    const witness = new Witness();
    const meter = witness.meter();
    meter.count("blocks_found");
    meter.gauge("height", 5);
    meter.daemon("127.0.0.1:8336", true);
    expect(witness.meterFlaws).toEqual([]);
    meter.count("Blocks");
    meter.gauge("height", Number.NaN);
    meter.count("blocks", -1);
    for (let i = 0; i < 32; i++) meter.count(`name_${i}`);
    expect(witness.meterFlaws).toEqual([
      'the name "Blocks" of a count',
      "the value NaN of height",
      "the negative value -1 of the count blocks",
      "33 names",
    ]);
  });
});

describe("checks", () => {
  const plugin = pretendCoin() as Parameters<typeof checks>[0];

  test("say what they leave out and why, and then resolve at once", async () => {
    const reason = "there is nothing to ask";
    const list = checks(plugin, { ...pretendRehearsal(), without: { daemon: reason } });
    const left = list.filter(({ leftOut }) => leftOut !== undefined);
    expect(left.map(({ rule }) => rule)).toContain("submit-accepted");
    expect(left.map(({ rule }) => rule)).not.toContain("placed");
    expect(new Set(left.map(({ leftOut }) => leftOut))).toEqual(new Set([reason, "no package.json was handed over"]));
    for (const check of left) await check.run();
  });

  test("reject with the rule, what was seen and what to do; or with the rule that stands in the way", async () => {
    const rehearsal = { open: () => Promise.reject(new Error("no port is free")) };
    const [, , accepts] = checks(plugin, rehearsal);
    const ending = await endingOf(() => accepts?.run(), 1000);
    if (ending.kind !== "rejected") throw new Error(ending.kind);
    expect(ending.error).toBeInstanceOf(KitFailure);
    expect(ending.error).toMatchObject({ rule: "config-accepts", blockedBy: "rehearsal" });
    expect(String(ending.error)).toMatch(
      /config-accepts: cannot be judged before rehearsal holds: .*no port is free\. Give/,
    );
  });
});
