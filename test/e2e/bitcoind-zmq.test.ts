/** The ZMQ subscriber over real sockets against a scripted publisher that speaks the bytes recorded from bitcoind. */
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { connectTcp } from "../../src/daemon/socket.ts";
import { DevnetNode } from "../../src/devnet/node/node.ts";
import { concat, fromHex, toHex, utf8 } from "../../src/kernel/bytes.ts";
import { silentLog } from "../../src/kernel/log.ts";
import { silentMeter } from "../../src/kernel/meter.ts";
import { examineNode } from "../../src/node/bitcoind/examine.ts";
import { BitcoindJobSource, JOB_SOURCE_DEFAULTS } from "../../src/node/bitcoind/job-source.ts";
import { seededRandom } from "../support/seeded-random.ts";
import core from "../vectors/bitcoind-rpc.json" with { type: "json" };

const { handshake } = core.answers["zmq hashblock"];
const frame = (flags: number, body: Uint8Array): Uint8Array => concat(Uint8Array.of(flags, body.length), body);
const never = new AbortController().signal;
const ends: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/** A publisher: greets, says READY, keeps what subscribers say, and publishes when told. */
async function publisher() {
  const subscribers = new Set<Socket>();
  const said: string[] = [];
  const server = createServer((socket) => {
    subscribers.add(socket);
    let heard = "";
    socket.on("data", (bytes) => {
      const before = heard.length;
      heard += toHex(bytes);
      if (before === 0) socket.write(fromHex(handshake.serverGreetingHex));
      if (before <= 128 && heard.length > 128) socket.write(frame(4, fromHex(handshake.serverReadyFrame.bodyHex)));
      said.push(toHex(bytes));
    });
    socket.on("error", () => undefined);
    socket.on("close", () => subscribers.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(async () => {
    for (const socket of subscribers) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  let sequence = 0;
  return {
    address: `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    subscribers,
    said,
    publish(hash: string) {
      const number = new Uint8Array(4);
      new DataView(number.buffer).setUint32(0, sequence++, true);
      const message = concat(frame(1, utf8("hashblock")), frame(1, fromHex(hash)), frame(0, number));
      for (const socket of subscribers) socket.write(message);
    },
  };
}

async function until(check: () => boolean, what: string): Promise<void> {
  const end = Date.now() + 5_000;
  while (!check()) {
    if (Date.now() > end) throw new Error(`${what} did not happen`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function node() {
  const devnet = new DevnetNode(
    { clock: systemClock, random: seededRandom(1), log: silentLog },
    { initialBlocks: 101, transactions: { atLeast: 0 } },
  );
  await devnet.start(never);
  ends.push(() => devnet.stop());
  const rpc = new RpcClient(
    { clock: systemClock, files: diskFiles, http: nodeHttpPost },
    {
      url: devnet.url,
      credentials: { kind: "password", user: devnet.user, password: devnet.password },
      timeoutMs: 5_000,
    },
  );
  ends.push(() => rpc.close());
  return { devnet, rpc };
}

test("a block is noticed by ZMQ when nothing else tells of it, and again after the publisher was restarted", async () => {
  const { devnet, rpc } = await node();
  const zmq = await publisher();
  devnet.disturbances.set("waitfornewblock", { kind: "hang" });
  const source = new BitcoindJobSource(
    {
      nodes: [{ rpc, zmqAddress: zmq.address }],
      clock: systemClock,
      log: silentLog,
      meter: silentMeter,
      connect: connectTcp,
    },
    { ...JOB_SOURCE_DEFAULTS, network: "regtest", pollMs: 60_000, askMs: 60_000 },
  );
  await source.start(never);
  ends.push(() => source.stop());
  await until(() => zmq.said.length === 3, "the subscription");
  expect(zmq.said[2]).toBe("000a0168617368626c6f636b");
  const mine = async (): Promise<void> => {
    const [hash = ""] = await devnet.generate(1);
    zmq.publish(hash);
  };
  await mine();
  await until(() => source.current()?.height === 103, "work on the new block");
  for (const socket of zmq.subscribers) socket.destroy();
  await until(() => zmq.said.length === 6, "the next subscription");
  await mine();
  await until(() => source.current()?.height === 104, "work on the next block");
  expect(source.status().nodes[0]?.notices).toEqual({ zmq: 2, wait: 0, longpoll: 0, poll: 1 });
});

test("an examination tries the subscription", async () => {
  const { rpc } = await node();
  const zmq = await publisher();
  const look = async (zmqAddress: string) => {
    const deps = { rpc, clock: systemClock, log: silentLog, connect: connectTcp };
    const { faults } = await examineNode(deps, { network: "regtest", staleTipMs: 5_400_000, zmqAddress });
    return faults.map(({ data }) => data.reason);
  };
  expect(await look(zmq.address)).toEqual([]);
  await until(() => zmq.subscribers.size === 0, "the end of the connection");
  expect(await look(rpc.address.replace("http", "tcp").replace(/\/$/, ""))).toEqual([
    expect.stringMatching(/does not speak ZMTP 3|closed the connection|ECONNRESET/),
  ]);
});
