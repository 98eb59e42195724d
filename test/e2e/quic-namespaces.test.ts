/**
 * QUIC between two network namespaces: a client whose address really changes, whose link goes away, and, where the kernel has netem, whose
 * link loses and swaps packets. Needs root and `ip`; says so where it cannot run.
 */
import { execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { createInterface } from "node:readline";
import { describe, expect, test } from "vitest";
import { later, quicWorld } from "../support/quic-world.ts";
import { ROOT } from "../support/sources.ts";
import { pause, until } from "../support/until.ts";

const ip = (...args: string[]): string => execFileSync("ip", args, { encoding: "utf8", stdio: "pipe" });

/** Why there can be no namespaces here, or `undefined`. */
function obstacle(): string | undefined {
  const name = `sv2try${process.pid}`;
  try {
    ip("netns", "add", name);
    ip("netns", "del", name);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message.split("\n")[0] : String(error);
  }
}

const why = obstacle();

/** A namespace with a link to ours. */
function network() {
  const tag = `${process.pid % 10_000}${randomInt(100)}`;
  const [name, ours, theirs] = [`sv2q${tag}`, `sv2a${tag}`, `sv2b${tag}`];
  const net = `10.${200 + randomInt(50)}.${randomInt(250)}`;
  later(() => {
    try {
      // Takes both ends of the link along.
      ip("netns", "del", name);
    } catch {
      // It was not made.
    }
  });
  ip("netns", "add", name);
  ip("link", "add", ours, "type", "veth", "peer", "name", theirs, "netns", name);
  ip("addr", "add", `${net}.1/24`, "dev", ours);
  ip("link", "set", ours, "up");
  const inside = (...args: string[]): string => ip("-n", name, ...args);
  inside("addr", "add", `${net}.2/24`, "dev", theirs);
  inside("link", "set", theirs, "up");
  return { name, ours, theirs, net, host: `${net}.1`, inside };
}

/** Sends a number on each of three streams, the next once it came back on all, and prints it; dials again where it is cut off. */
const CLIENT = `
const built = (path) => import(["./dist/src", path + ".js"].join("/"));
const { systemClock: clock, systemRandom } = await built("app/system");
const { dialQuic } = await built("client/dial-quic");
const { loadQuiche: quiche } = await built("quic/quiche");
const { openUdp: udp } = await built("quic/udp");
const [host, port] = process.argv.slice(1);
const dial = dialQuic({ clock, random: systemRandom(), quiche, udp, authorities: () => [] }, { keepAliveMs: 500 });
const server = { transport: "quic", host, port: Number(port), noise: true, authorityPublicKey: new Uint8Array(32) };
let texts = [];
let links = [];
let n = 0;
const write = () => links.forEach((link) => link.write(Buffer.from(n + ";")));
const next = () => {
  if (!texts.every((text) => text.endsWith(n + ";"))) return;
  console.log(n);
  n += 1;
  setTimeout(write, 5);
};
const open = async () => {
  const mine = (links = []);
  texts = ["", "", ""];
  for (const i of [0, 1, 2]) {
    const onData = (bytes) => { texts[i] = (texts[i] + Buffer.from(bytes)).slice(-20); next(); };
    const onClose = () => { if (mine === links) { console.log("again"); links = []; setTimeout(open, 10); } };
    mine.push(await dial(server, { onData, onClose }, new AbortController().signal));
  }
  write();
};
await open();
`;

async function client(net: ReturnType<typeof network>) {
  const world = await quicWorld({ echo: true, host: net.host });
  const args = ["netns", "exec", net.name, process.execPath, "--input-type=module", "-e", CLIENT, net.host];
  const child = spawn("ip", [...args, String(world.port)], { cwd: ROOT, stdio: ["ignore", "pipe", "inherit"] });
  later(() => child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on("line", (line) => void lines.push(line));
  const goesOn = async (what: string): Promise<void> => {
    const before = lines.length;
    await until(what, () => lines.length > before + 20, 20_000);
  };
  await goesOn("the client is there");
  return { world, goesOn, lines };
}

describe.skipIf(why !== undefined)(
  `a client in another network namespace${why === undefined ? "" : `: ${why}`}`,
  () => {
    test("goes on when its address changes, and the server sees where it is", async () => {
      const net = network();
      const { world, goesOn, lines } = await client(net);
      expect(world.streams.at(-1)?.stream.remoteAddress).toBe(`${net.net}.2`);
      for (const last of [3, 4, 5]) {
        // In this order: with the first address of a network Linux takes the others away.
        net.inside("addr", "del", `${net.net}.${last - 1}/24`, "dev", net.theirs);
        net.inside("addr", "add", `${net.net}.${last}/24`, "dev", net.theirs);
        await goesOn(`it goes on from .${last}`);
        expect(world.streams.at(-1)?.stream.remoteAddress).toBe(`${net.net}.${last}`);
      }
      // Most changes are followed; where quiche leaves a stream standing, the client is cut off in time and dials again.
      expect(lines.filter((line) => line === "again").length).toBeLessThanOrEqual(3);
    });

    test("keeps them when its link goes away for two seconds", async () => {
      const net = network();
      const { world, goesOn } = await client(net);
      net.inside("link", "set", net.theirs, "down");
      await pause(2000);
      net.inside("link", "set", net.theirs, "up");
      await goesOn("it goes on");
      expect(world.streams.length).toBe(3);
    });

    test("keeps them where packets are lost, late and out of order", async ({ skip }) => {
      const net = network();
      try {
        const netem = [
          "root",
          "netem",
          "loss",
          "10%",
          "delay",
          "10ms",
          "5ms",
          "reorder",
          "25%",
          "50%",
          "duplicate",
          "5%",
        ];
        execFileSync("tc", ["qdisc", "add", "dev", net.ours, ...netem], { stdio: "pipe" });
      } catch (error) {
        return skip(`no netem: ${String(error).split("\n").at(1)}`);
      }
      const { world, goesOn } = await client(net);
      for (let i = 0; i < 5; i++) await goesOn("it goes on");
      expect(world.streams.length).toBe(3);
      return undefined;
    });
  },
);
