import { describe, expect, test } from "vitest";
import type { Dial } from "../../../src/client/link.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { authorityPublicKey } from "../../../src/sv2/noise/authority-key.ts";
import { nobleCrypto } from "../../../src/sv2/noise/crypto.ts";
import { NoiseResponder } from "../../../src/sv2/noise/handshake.ts";
import type { NoiseHandshake } from "../../../src/sv2/noise/ports.ts";
import { StaticIdentity } from "../../../src/sv2/noise/static-identity.ts";
import { reconnectAddress } from "../../../src/upstream/reconnects.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import type { Message } from "../../support/messages.ts";
import { ScriptedServer } from "../../support/scripted-server.ts";
import { seededRandom } from "../../support/seeded-random.ts";
import {
  playPool,
  poolJobMessage,
  prevHashMessage,
  submit,
  type UpstreamStage,
  u256,
  upstreamStage,
} from "../../support/upstream-stage.ts";

const crypto = nobleCrypto();
const SECRET = new Uint8Array(32).fill(5);
const KEY = authorityPublicKey(SECRET);
const OTHER_KEY = authorityPublicKey(new Uint8Array(32).fill(6));

const facts = (fault: Fault | undefined) => ({ code: fault?.code, ...fault?.data });

/** A pool that does not answer messages called `name`. */
const silentAt = (name: Message["name"]) => playPool((message) => message.name === name);

const responder = (clock: FakeClock): NoiseHandshake => {
  const random = seededRandom(3);
  return new NoiseResponder({
    crypto,
    identity: new StaticIdentity({ crypto, clock, random }, { authoritySecretKey: SECRET }),
    ephemeral: () => crypto.generateKey(random),
  });
};

describe("a pool that is too slow", () => {
  test.each([
    ["setup", silentAt("SetupConnection")],
    ["opening", silentAt("OpenExtendedMiningChannel")],
    [
      "waiting",
      playPool((message, server) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        const opened = { channelId: 2, groupChannelId: 1, target: u256(1), extranonceSize: 16 };
        const { requestId } = message.value;
        server.send("OpenExtendedMiningChannelSuccess", { ...opened, requestId, extranoncePrefix: u256(0) });
        return true;
      }),
    ],
  ])("is left when its first job does not come in time (%s)", async (stage, onMessage) => {
    const { run, clock, end, goesOn, server, connection } = upstreamStage({ onMessage });
    await run();
    expect(connection.state().stage).toBe(stage);
    clock.advance(9_999);
    expect(await goesOn()).toBe(true);
    clock.advance(1);
    expect(facts((await end()).fault)).toEqual({
      code: "upstream-timeout",
      pool: "main",
      stage,
      connectTimeoutMs: 10_000,
    });
    expect(server.hangUps).toBe(1);
    expect(connection.state().stage).toBe("ended");
  });

  test("is left when it does not even take the connection", async () => {
    const dial: Dial = (_server, _listener, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    const { run, clock, end } = upstreamStage({ deps: { dial } });
    await run();
    clock.advance(10_000);
    expect(facts((await end()).fault)).toMatchObject({ code: "upstream-timeout", stage: "dialling" });
  });

  test("has all the time once it gave a job, until it is silent", async () => {
    const { run, clock, end, goesOn, server } = upstreamStage();
    await run();
    clock.advance(179_999);
    expect(await goesOn()).toBe(true);
    server.send("SetTarget", { channelId: 2, maximumTarget: u256(1) });
    clock.advance(179_999);
    expect(await goesOn()).toBe(true);
    clock.advance(1_000);
    expect(facts((await end()).fault)).toEqual({ code: "upstream-silent", pool: "main", idleTimeoutMs: 180_000 });
    expect(clock.pending).toBe(0);
  });
});

describe("a pool with nothing to say", () => {
  /** Answers UpdateChannel as SRI's does. */
  const answering = () =>
    playPool((message, server) => {
      if (message.name !== "UpdateChannel") return false;
      server.send("SetTarget", { channelId: message.value.channelId, maximumTarget: u256(0x7f) });
      return true;
    });

  test("is asked for a sign of life in time, and kept when it gives one", async () => {
    const { run, clock, server, goesOn } = upstreamStage({ onMessage: answering() });
    await run();
    clock.advance(59_999);
    expect(server.got("UpdateChannel")).toEqual([]);
    clock.advance(1);
    expect(server.got("UpdateChannel")).toEqual([
      { channelId: 2, nominalHashRate: Math.fround(1e12), maximumTarget: u256(0xff) },
    ]);
    clock.advance(1_000_000);
    expect(await goesOn()).toBe(true);
    expect(server.got("UpdateChannel").length).toBeLessThan(20);
  });

  test("is asked on any channel where every miner has its own", async () => {
    const { run, clock, server, goesOn, connection } = upstreamStage({ channels: "per_miner", onMessage: answering() });
    await run();
    // Without a channel it has no reason to speak.
    clock.advance(1_000_000);
    expect(await goesOn()).toBe(true);
    const wish = { userIdentity: "a.b", nominalHashrate: 7e9, maxTarget: 2n ** 255n };
    for (let i = 0; i < 3; i++) connection.open(wish, () => undefined);
    clock.advance(1_000_000);
    expect(await goesOn()).toBe(true);
    const asked = server.got("UpdateChannel");
    expect(asked.length).toBeGreaterThan(10);
    expect(asked[0]).toMatchObject({ channelId: 2, nominalHashRate: 7e9 });
  });

  test("that leaves miners without any answer is gone, although no channel is open", async () => {
    const { run, clock, connection, end } = upstreamStage({
      channels: "per_miner",
      onMessage: silentAt("OpenExtendedMiningChannel"),
    });
    await run();
    connection.open({ userIdentity: "a.b", nominalHashrate: 7e9, maxTarget: 1n }, () => undefined);
    clock.advance(181_000);
    expect((await end()).fault?.code).toBe("upstream-silent");
  });
});

describe("the end", () => {
  test("is asked for by us: the channel is closed, shares lose their answers, no timer is left", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    expect(await stage.stop()).toEqual({ reason: "stopped", fault: undefined, moveTo: undefined });
    expect(stage.server.got("CloseChannel")).toEqual([{ channelId: 2, reasonCode: "the proxy leaves" }]);
    expect(answers).toEqual([null]);
    expect(stage.clock.pending).toBe(0);
    expect(stage.connection.currentJob()).toBeUndefined();
    expect(submit(stage)).toEqual({ isSent: false, answers: [] });
    expect(stage.connection.state()).toMatchObject({ stage: "ended", channels: 0, shares: { unanswered: 1 } });
    stage.connection.announceHashrate(9e15);
    expect(stage.server.got("UpdateChannel")).toEqual([]);
  });

  test("comes before the beginning", async () => {
    const stage = upstreamStage();
    const running = stage.stop();
    await stage.run();
    await running;
    expect(await stage.stop()).toEqual({ reason: "stopped", fault: undefined, moveTo: undefined });
    expect(stage.server.dialled).toEqual([]);
    expect(stage.clock.pending).toBe(0);
  });

  test("is the pool's, in its words; no fault where it just hangs up", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    stage.server.hangUp("read ECONNRESET");
    expect(await stage.end()).toEqual({ reason: "read ECONNRESET", fault: undefined, moveTo: undefined });
    expect(answers).toEqual([null]);
  });

  test("tells how far it got when the pool hung up before there was work", async () => {
    const stage = upstreamStage({ onMessage: silentAt("OpenExtendedMiningChannel") });
    await stage.run();
    stage.server.hangUp();
    expect((await stage.end()).reason).toBe("the server closed the connection before there was work (opening)");
  });

  test("is the way's, when nobody is there", async () => {
    const server = new ScriptedServer();
    server.refusal = new Fault("server-unreachable", { host: "pool.example", port: 3333, reason: "ECONNREFUSED" });
    const stage = upstreamStage({ server });
    await stage.run();
    expect((await stage.end()).fault?.code).toBe("server-unreachable");
    // Nobody is there to be asked for Stratum V1.
    expect(server.dialled).toHaveLength(1);
  });
});

describe("Noise", () => {
  const noisy = (key: Uint8Array | undefined, clock = new FakeClock()): UpstreamStage => {
    const server: ScriptedServer = new ScriptedServer({ onMessage: playPool(), noise: () => responder(clock) });
    const address = key === undefined ? { noise: true } : { noise: true, authorityPublicKey: key };
    return upstreamStage({ server, clock, address });
  };

  test("is spoken, and the key checked", async () => {
    const stage = noisy(KEY);
    await stage.run();
    expect(stage.told[0]).toBe("ready");
    expect(stage.connection.state().isKeyChecked).toBe(true);
  });

  test("is spoken with a pool that nobody vouches for, which shows", async () => {
    const stage = noisy(undefined);
    await stage.run();
    expect(stage.told[0]).toBe("ready");
    expect(stage.connection.state().isKeyChecked).toBe(false);
  });

  test("with another authority's key is told in words, and nobody is asked for Stratum V1", async () => {
    const stage = noisy(OTHER_KEY);
    await stage.run();
    const { fault, reason } = await stage.end();
    expect(fault?.code).toBe("certificate-signature");
    expect(reason).toMatch(/not signed by the expected authority/);
    expect(fault?.help).toMatch(/authority key/);
    expect(stage.server.dialled).toHaveLength(1);
    expect(stage.server.received).toEqual([]);
  });

  test("garbage behind the handshake ends the connection, and shares lose their answers", async () => {
    const stage = noisy(KEY);
    await stage.run();
    const { answers } = submit(stage);
    stage.server.sendBytes(new Uint8Array(100).fill(0x55));
    expect((await stage.end()).fault?.code).toBe("noise-mac");
    expect(answers).toEqual([null]);
  });
});

describe("a server that does not speak Stratum V2", () => {
  /** Plays byte streams: the first connection and the probe get what `answer` says to their first bytes; `undefined` hangs up, `null` says nothing. */
  const bytes = (answer: (sent: Uint8Array, connection: number) => Uint8Array | undefined | null) => {
    const sent: string[] = [];
    let connections = 0;
    const dial: Dial = async (_server, listener) => {
      const connection = connections++;
      return {
        write(data) {
          sent.push(Buffer.from(data).toString("latin1"));
          const said = answer(data, connection);
          if (said === null) return;
          if (said === undefined) listener.onClose("the server closed the connection");
          else listener.onData(said);
        },
        end: () => undefined,
        destroy: () => undefined,
      };
    };
    const stage = upstreamStage({ deps: { dial }, address: { noise: true } });
    return { ...stage, sent, connections: () => connections };
  };

  test("but V1 is told apart: it hangs up at the handshake and answers a V1 line", async () => {
    const subscribed = utf8('{"id":1,"result":[[["mining.notify","1"]],"f000000f",4],"error":null}\n');
    const { run, end, sent } = bytes((_sent, connection) => (connection === 0 ? undefined : subscribed));
    await run();
    const { fault, reason } = await end();
    expect(facts(fault)).toEqual({ code: "upstream-stratum-v1", pool: "main", host: "pool.example", port: 3333 });
    expect(reason).toMatch(/speaks Stratum V1 only/);
    expect(JSON.parse(sent.at(-1) ?? "")).toMatchObject({ method: "mining.subscribe" });
  });

  test("but V1 shows at once when it answers the handshake with a line", async () => {
    const error = utf8('{"id":null,"result":null,"error":[20,"Not valid JSON",null]}\n');
    const { run, end, connections } = bytes(() => error);
    await run();
    expect((await end()).fault?.code).toBe("upstream-stratum-v1");
    expect(connections()).toBe(1);
  });

  test("nor V1 is told what it is not", async () => {
    const { run, end } = bytes(() => utf8(`HTTP/1.1 400 Bad Request\r\n${"x".repeat(300)}`));
    await run();
    const { fault } = await end();
    expect(facts(fault)).toMatchObject({ code: "upstream-not-stratum-v2", got: "326 bytes of something else" });
    expect(fault?.help).toMatch(/different ones/);
  });

  test("and says nothing at all is given up in the end", async () => {
    const { run, end, clock, goesOn } = bytes(() => null);
    await run();
    clock.advance(10_000);
    expect(await goesOn()).toBe(true);
    clock.advance(3_000);
    expect(facts((await end()).fault)).toMatchObject({ code: "upstream-not-stratum-v2", got: "nothing" });
    expect(clock.pending).toBe(0);
  });
});

describe("Reconnect (spec 3.6.5)", () => {
  test("to another port of the same host is followed, and shares lose their answers", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    stage.server.send("Reconnect", { newHost: "", newPort: 4444 });
    const { moveTo, fault } = await stage.end();
    expect(moveTo).toEqual({ transport: "tcp", host: "pool.example", port: 4444, noise: false });
    expect(fault).toBeUndefined();
    expect(answers).toEqual([null]);
  });

  test("to another host that nothing vouches for ends the connection", async () => {
    const stage = upstreamStage();
    await stage.run();
    stage.server.send("Reconnect", { newHost: "evil.example\n", newPort: 0 });
    const { moveTo, fault } = await stage.end();
    expect(moveTo).toBeUndefined();
    expect(facts(fault)).toEqual({ code: "upstream-reconnect-refused", pool: "main", host: "evil.example?", port: 0 });
    expect(fault?.help).toMatch(/authority key/);
  });

  const present = { transport: "tcp", host: "pool.example", port: 3333, noise: true } as const;

  test.each([
    ["", 0, present],
    ["pool.example", 1, { ...present, port: 1 }],
    ["other.example", 0, undefined],
  ])("without a key: %j, %i", (host, port, to) => {
    expect(reconnectAddress(present, host, port)).toEqual(to);
  });

  test("never leaves the key, nor the pinned certificate", () => {
    const vouched = { ...present, authorityPublicKey: KEY };
    expect(reconnectAddress(vouched, "other.example", 5)).toEqual({ ...vouched, host: "other.example", port: 5 });
    const pinned = { ...present, transport: "tls", noise: false, certSha256: u256(1) } as const;
    expect(reconnectAddress(pinned, "2001:db8::7", 0)).toEqual({ ...pinned, host: "2001:db8::7" });
    // The key is checked inside Noise only.
    const unchecked = { ...vouched, transport: "tls", noise: false } as const;
    expect(reconnectAddress(unchecked, "other.example", 5)).toBeUndefined();
  });

  test.each(["", " x", "a/b", "a@b", "a:b c", "x".repeat(254), "é.example"])("takes no host like %j", (host) => {
    const vouched = { ...present, authorityPublicKey: KEY };
    if (host === "") expect(reconnectAddress(vouched, host, 0)).toEqual(vouched);
    else expect(reconnectAddress(vouched, host, 0)).toBeUndefined();
  });
});

describe("a channel that the pool closes", () => {
  test("is opened again at once, and its shares lose their answers", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    const before = stage.job();
    stage.server.send("CloseChannel", { channelId: 2, reasonCode: "vardiff" });
    expect(answers).toEqual([null]);
    expect(stage.told).toEqual(["ready", "newBlock 2/1", "newBlock 3/1"]);
    expect(stage.connection.submit({ ...before, work: before.pool } as never, () => undefined)).toBe(false);
    expect(submit(stage).isSent).toBe(true);
    expect(await stage.goesOn()).toBe(true);
  });

  test("again within a minute ends the connection; later it is opened again", async () => {
    const stage = upstreamStage();
    await stage.run();
    stage.server.send("CloseChannel", { channelId: 2, reasonCode: "" });
    stage.clock.advance(60_000);
    stage.server.send("CloseChannel", { channelId: 1, reasonCode: "a group's" });
    expect(stage.told.at(-1)).toBe("newBlock 4/1");
    stage.clock.advance(59_999);
    stage.server.send("CloseChannel", { channelId: 4, reasonCode: "once more" });
    expect(facts((await stage.end()).fault)).toEqual({
      code: "upstream-channel-closed",
      pool: "main",
      reason: "once more",
    });
  });

  test("and not given back in time ends the connection", async () => {
    let isFirst = true;
    const stage = upstreamStage({
      onMessage: playPool((message) => {
        if (message.name !== "OpenExtendedMiningChannel" || isFirst) {
          if (message.name === "OpenExtendedMiningChannel") isFirst = false;
          return false;
        }
        return true;
      }),
    });
    await stage.run();
    stage.server.send("CloseChannel", { channelId: 2, reasonCode: "" });
    stage.clock.advance(9_999);
    expect(await stage.goesOn()).toBe(true);
    stage.clock.advance(1);
    expect((await stage.end()).fault?.code).toBe("upstream-channel-closed");
  });

  test("does not leave messages for it behind as violations", async () => {
    const stage = upstreamStage();
    await stage.run();
    stage.server.send("CloseChannel", { channelId: 2, reasonCode: "" });
    stage.server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 2, jobId: 5 }));
    stage.server.send("SetNewPrevHash", prevHashMessage({ channelId: 2, jobId: 5 }));
    stage.server.send("SubmitSharesError", { channelId: 2, sequenceNumber: 0, errorCode: "stale-share" });
    expect(await stage.goesOn()).toBe(true);
  });
});
