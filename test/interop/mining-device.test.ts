/**
 * SRI's mining_device against our server: a standard channel with REQUIRES_STANDARD_JOBS over Noise with the authority key
 * checked. It is hard to please: it panics on any message that it does not expect (reference: its `handle_message_mining`),
 * so a device that still runs was never sent one.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { DevnetNode } from "../../src/devnet/node/node.ts";
import { type Program, program, run } from "../support/program.ts";
import { until as untilWithin } from "../support/until.ts";
import { foreign } from "./foreign/install.ts";
import { MINING_DEVICE } from "./foreign/pins.ts";
import { complaints, type Pool, startNode, startPool } from "./foreign/pool.ts";

const binary = await foreign(MINING_DEVICE);
const WAIT_MS = 240_000;
const until = (what: string, ready: () => boolean): Promise<void> => untilWithin(what, ready, WAIT_MS);

/** Starts a device of one thread. */
function device(at: { address: string; key: string; user: string }, ...more: readonly string[]): Program {
  const args = ["--address-pool", at.address, "--pubkey-pool", at.key, "--id-device", at.user, "--id-user", at.user];
  return run(binary ?? "", [...args, "--cores", "1", ...more]);
}

/** Stops a device that must still be running; gives what it printed. */
async function stopped(device: Program): Promise<string> {
  device.kill("SIGTERM");
  expect(await device.ended, `the device ended by itself:\n${device.err.join("\n")}`).toBe(-1);
  expect(device.err).toEqual([]);
  return device.out.join("\n");
}

const count = (text: readonly string[], wanted: string): number => text.filter((line) => line.includes(wanted)).length;

describe.skipIf(binary === undefined)("SRI's mining_device", () => {
  test("mines blocks on `start --devnet` that the node accepts", async () => {
    const server = program(["start", "--devnet", "--listen", "127.0.0.1:0", "--json"]);
    const { listening, authorityPublicKey } = JSON.parse(await server.line((line) => line.includes('"listening"')));
    const miner = device({ address: listening, key: authorityPublicKey, user: "alice.rig1" });
    // Lines about blocks of the devnet's other chains carry the chain's name.
    const bitcoin = () => server.err.map((line) => JSON.parse(line)).filter(({ chain }) => chain === undefined);
    const accepted = (): { height: number; verdict: string }[] =>
      bitcoin().filter(({ verdict }) => verdict !== undefined);
    await until("two blocks were accepted", () => accepted().length >= 2);
    await until("work on the next", () => count(miner.out, "Received SetNewPrevHash") >= 3);

    const said = await stopped(miner);
    expect(said).toContain("Pool noise connection established");
    expect(said).toContain("Received SubmitSharesSuccess");
    // A share that was on its way when a block was found is late, and that is all that may be refused.
    for (const line of miner.out.filter((line) => line.includes("ERROR"))) expect(line).toContain("stale-share");
    server.kill("SIGTERM");
    expect(await server.ended, server.err.join("\n")).toBe(0);
    expect(accepted().map(({ verdict }) => verdict)).toEqual(accepted().map(() => "accepted"));
    expect(accepted().map(({ height }) => height)).toEqual(accepted().map((_, i) => 111 + i));
    const found = bitcoin().filter(({ msg }) => msg.includes("found at height") && msg.includes("alice.rig1"));
    expect(found.length).toBe(accepted().length);
  });

  test("refuses a server with another authority key", async () => {
    const server = program(["start", "--devnet", "--listen", "127.0.0.1:0", "--json"]);
    const { listening } = JSON.parse(await server.line((line) => line.includes('"listening"')));
    const key = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
    const miner = device({ address: listening, key, user: "mallory" });
    expect(await miner.ended).toBe(101);
    expect(count(miner.out, "Pool tcp connection established")).toBe(1);
    expect(count(miner.out, "Pool noise connection established")).toBe(0);
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
  });

  describe("on a server of this process", () => {
    let node: DevnetNode;
    let pool: Pool;
    const at = (user: string) => ({ address: `${pool.host}:${pool.port}`, key: pool.authorityPublicKey, user });
    const running: Program[] = [];

    beforeAll(async () => {
      node = await startNode(4e6);
      pool = await startPool(node, { config: { jobs: { refresh_s: 5 }, templates: { refresh_s: 2 } } });
    });

    afterAll(async () => {
      for (const each of running) each.kill("SIGKILL");
      await pool?.stop();
      await node?.stop();
    });

    test("three devices at once have their shares accepted, through each other's blocks and a block taken back", async () => {
      const users = ["carol.1", "dave.2", "erin.3"];
      const devices = users.map((user) => device(at(user)));
      running.push(...devices);
      await until("all have a channel", () => pool.channels().length === 3);
      const channels = pool.channels().map(({ kind, userIdentity }) => `${kind} ${userIdentity}`);
      expect(channels.sort()).toEqual(users.map((user) => `standard ${user}`));
      const before = pool.blocksInChain().length;
      await until("three blocks of theirs", () => pool.blocksInChain().length >= before + 3);
      await until("accepted shares of each", () => users.every((user) => pool.accepted(user) >= 3));

      await until("the job on the newest", () => pool.jobs.at(-1)?.height === node.chain.tip.height + 1);
      const made = pool.jobs.length;
      const { key, height } = node.chain.tip;
      await node.call("invalidateblock", [key]);
      await until("a job in place of it", () => pool.jobs.slice(made).some((job) => job.height === height));
      const seen = pool.shares.length;
      const later = (user: string) =>
        pool.shares.slice(seen).filter((share) => share.userIdentity === user && share.errorCode === undefined);
      await until("accepted shares of each on it or after it", () => users.every((user) => later(user).length > 0));

      const blocks = pool.answers.length;
      for (const each of devices) {
        const said = await stopped(each);
        expect(said).toContain("is future: true");
        expect(count(each.out, "Received SetNewPrevHash")).toBeGreaterThanOrEqual(5);
      }
      const refused = pool.refused();
      console.info(`three devices: ${pool.shares.length} shares, ${blocks} blocks, refused ${JSON.stringify(refused)}`);
      expect(Object.keys(refused).filter((code) => code !== "stale-share")).toEqual([]);
      // A block on the one that was taken back may have been on its way.
      const rejections = pool.answers.filter(({ answer }) => answer.verdict === "rejected");
      expect(rejections.map(({ answer }) => answer.reason).filter((reason) => reason !== "bad-prevblk")).toEqual([]);
      expect(complaints(pool).filter((line) => !/came too late|bad-prevblk/.test(line))).toEqual([]);
    });

    test.each([
      ["a hundred times too high", "100"],
      ["a hundred times too low", "0.01"],
    ])("a device whose claimed hash rate is %s gets SetTarget and mines on", async (_, multiplier) => {
      const user = `frank.${multiplier}`;
      const miner = device(at(user), "--nominal-hashrate-multiplier", multiplier);
      running.push(miner);
      await until("its channel", () => pool.channels().some(({ userIdentity }) => userIdentity === user));
      await until("a new target", () => count(miner.out, "Received SetTarget") >= 1);
      const targets = count(miner.out, "Received SetTarget");
      const accepted = pool.accepted(user);
      await until("accepted shares on it", () => pool.accepted(user) >= accepted + 10);
      const channel = pool.channels().find(({ userIdentity }) => userIdentity === user);
      const said = await stopped(miner);
      expect(said).toContain("is future: false");
      expect(targets).toBeGreaterThan(0);
      expect(Object.keys(channel?.rejected ?? {}).filter((code) => code !== "stale-share")).toEqual([]);
      console.info(`claimed ×${multiplier}: rejected ${JSON.stringify(channel?.rejected)} of ${channel?.accepted}`);
    });
  });
});
