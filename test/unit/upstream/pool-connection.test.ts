import { describe, expect, test } from "vitest";
import { concat, toHex } from "../../../src/kernel/bytes.ts";
import type { Fault } from "../../../src/kernel/fault.ts";
import { jobCoinbase } from "../../../src/mining/job.ts";
import { USER_IDENTITY_TLV } from "../../../src/sv2/tlv.ts";
import {
  CONNECTION,
  playPool,
  poolJobMessage,
  prevHashMessage,
  submit,
  u256,
  upstreamStage,
} from "../../support/upstream-stage.ts";

const facts = (fault: Fault | undefined) => ({ code: fault?.code, ...fault?.data });

describe("the setup", () => {
  test("introduces us, asks for worker names and opens one channel with room for those below", async () => {
    const stage = upstreamStage();
    stage.connection.announceHashrate(5e12);
    await stage.run();
    expect(stage.server.dialled).toEqual([{ host: "pool.example", port: 3333 }]);
    expect(stage.server.received.map(({ name }) => name)).toEqual([
      "SetupConnection",
      "RequestExtensions",
      "OpenExtendedMiningChannel",
    ]);
    expect(stage.server.got("SetupConnection")[0]).toMatchObject({
      protocol: 0,
      minVersion: 2,
      maxVersion: 2,
      // REQUIRES_VERSION_ROLLING (spec 5.3.1).
      flags: 4,
      endpointHost: "pool.example",
      endpointPort: 3333,
    });
    expect(stage.server.got("RequestExtensions")[0]?.requestedExtensions).toEqual([2]);
    const { userIdentity, nominalHashRate, maxTarget, minExtranonceSize } =
      stage.server.got("OpenExtendedMiningChannel")[0] ?? {};
    expect({ userIdentity, nominalHashRate, minExtranonceSize }).toEqual({
      userIdentity: "account.farm",
      nominalHashRate: Math.fround(5e12),
      minExtranonceSize: 12,
    });
    expect(maxTarget).toEqual(u256(0xff));
    expect(stage.told).toEqual(["ready", "newBlock 2/1"]);
    expect(stage.connection.state()).toEqual({
      stage: "ready",
      isKeyChecked: false,
      extensions: [2],
      channels: 1,
      extranonceSize: 16,
      difficulty: expect.any(Number),
      shares: { sent: 0, accepted: 0, refused: 0, unanswered: 0, waiting: 0 },
    });
    expect(stage.meter.sums.get("upstream_connected{pool=main}")).toBe(1);
    expect(stage.meter.sums.get("upstream_jobs_total{pool=main}")).toBe(1);
  });

  test("requires no version rolling where nobody rolls", async () => {
    const stage = upstreamStage({ versionRollingMask: 0 });
    await stage.run();
    expect(stage.server.got("SetupConnection")[0]?.flags).toBe(0);
    expect(stage.job().versionRollingMask).toBe(0);
  });

  test("lets nobody roll the version of a pool that requires a fixed one, and asks for extended channels anyway", async () => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "SetupConnection") return false;
        server.send("SetupConnectionSuccess", { usedVersion: 2, flags: 3 });
        return true;
      }),
    });
    await stage.run();
    expect(stage.job().versionRollingMask).toBe(0);
  });

  test("is over with SetupConnection.Error, and says what the pool said", async () => {
    const stage = upstreamStage({
      onMessage: (message, server) => {
        if (message.name === "SetupConnection") {
          server.send("SetupConnectionError", { flags: 4, errorCode: "unsupported-feature-flags\u001b[2J" });
        }
      },
    });
    await stage.run();
    const { fault, reason } = await stage.end();
    expect(facts(fault)).toEqual({
      code: "upstream-setup-refused",
      pool: "main",
      errorCode: "unsupported-feature-flags?[2J",
      flags: 4,
    });
    expect(reason).toMatch(/refused the connection with SetupConnection.Error/);
    expect(fault?.help).toMatch(/version_rolling_mask/);
  });

  test.each([
    ["another version", { usedVersion: 3, flags: 0 }],
    ["twice", { usedVersion: 2, flags: 0 }],
  ])("is over when the pool answers it with %s", async (_what, answer) => {
    const stage = upstreamStage({
      onMessage: (message, server) => {
        if (message.name !== "SetupConnection") return;
        server.send("SetupConnectionSuccess", answer);
        server.send("SetupConnectionSuccess", answer);
      },
    });
    await stage.run();
    expect((await stage.end()).fault?.code).toBe("server-violation");
  });

  test("is over when a channel's message comes before it", async () => {
    const stage = upstreamStage({
      onMessage: (message, server) => {
        if (message.name === "SetupConnection") server.send("NewExtendedMiningJob", poolJobMessage());
      },
    });
    await stage.run();
    expect((await stage.end()).fault?.code).toBe("server-violation");
  });
});

describe("extensions", () => {
  test("are not asked for when workers shall not be named", async () => {
    const stage = upstreamStage({ workerNames: false });
    await stage.run();
    expect(stage.server.got("RequestExtensions")).toEqual([]);
    expect(stage.connection.state().extensions).toEqual([]);
    expect(stage.told[0]).toBe("ready");
  });

  test("that a pool does not negotiate hold it up for two seconds", async () => {
    const stage = upstreamStage({ onMessage: playPool(({ name }) => name === "RequestExtensions") });
    await stage.run();
    stage.clock.advance(1_999);
    expect(stage.told).toEqual([]);
    stage.clock.advance(1);
    expect(stage.told[0]).toBe("ready");
    submit(stage);
    expect(stage.server.received.at(-1)?.tlv).toBeUndefined();
    // It was only slow.
    stage.server.send("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2] });
    submit(stage);
    expect(stage.server.received.at(-1)?.tlv).toBeDefined();
  });

  test("that a pool does not have are done without", async () => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "RequestExtensions") return false;
        const { requestId } = message.value;
        server.send("RequestExtensionsError", { requestId, unsupportedExtensions: [2], requiredExtensions: [] });
        return true;
      }),
    });
    await stage.run();
    expect(stage.told[0]).toBe("ready");
    expect(stage.connection.state().extensions).toEqual([]);
  });

  test("that a pool requires and we lack end the connection", async () => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "RequestExtensions") return false;
        const { requestId } = message.value;
        server.send("RequestExtensionsError", {
          requestId,
          unsupportedExtensions: [],
          requiredExtensions: [2, 0x1234],
        });
        return true;
      }),
    });
    await stage.run();
    expect(facts((await stage.end()).fault)).toEqual({
      code: "upstream-extension-required",
      pool: "main",
      extensions: "0x1234",
    });
  });

  test("are void when the other end of a channel changed, and negotiated again", async () => {
    let answers = true;
    const stage = upstreamStage({ onMessage: playPool(({ name }) => name === "RequestExtensions" && !answers) });
    await stage.run();
    answers = false;
    stage.server.send("ChannelEndpointChanged", { channelId: 2 });
    expect(stage.server.got("RequestExtensions")).toHaveLength(2);
    submit(stage);
    expect(stage.server.received.at(-1)?.tlv).toBeUndefined();
    // An answer to the first request speaks of the former end.
    stage.server.send("RequestExtensionsSuccess", { requestId: 1, supportedExtensions: [2] });
    expect(stage.connection.state().extensions).toEqual([]);
    stage.server.send("RequestExtensionsSuccess", { requestId: 2, supportedExtensions: [2] });
    submit(stage);
    expect(stage.server.received.at(-1)?.tlv).toBeDefined();
    expect(stage.server.got("OpenExtendedMiningChannel")).toHaveLength(1);
  });
});

describe("a channel that the pool refuses", () => {
  test.each([
    ["unknown-user", "upstream-user-refused", /`user`/],
    ["invalid-user-identity", "upstream-user-refused", /`user`/],
    ["min-extranonce-size-too-large", "upstream-extranonce-refused", /extranonce_bytes/],
    ["unsupported-min-extranonce-size", "upstream-extranonce-refused", /extranonce_bytes/],
    ["max-target-out-of-range", "upstream-channel-refused", /max-target-out-of-range/],
    ["we-are-full", "upstream-channel-refused", /pool's own/],
  ])("with %s ends the connection, with advice", async (errorCode, code, help) => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        server.send("OpenMiningChannelError", { requestId: message.value.requestId, errorCode });
        return true;
      }),
    });
    await stage.run();
    const { fault, reason } = await stage.end();
    expect(fault?.code).toBe(code);
    expect(fault?.data.errorCode).toBe(errorCode);
    expect(fault?.help).toMatch(help);
    expect(reason).toContain(errorCode);
    expect(stage.told).toEqual([]);
  });

  test.each([
    [11, "upstream-extranonce-refused"],
    [33, "server-violation"],
  ])("by giving it %i bytes of extranonce ends the connection", async (extranonceSize, code) => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        const { requestId } = message.value;
        const opened = { requestId, channelId: 2, groupChannelId: 1, target: u256(1), extranoncePrefix: u256(0) };
        server.send("OpenExtendedMiningChannelSuccess", { ...opened, extranonceSize });
        return true;
      }),
    });
    await stage.run();
    expect((await stage.end()).fault?.code).toBe(code);
  });
});

describe("jobs", () => {
  test("of the pool become ours: its prefix in the coinbase, its target on the shares", async () => {
    const stage = upstreamStage();
    await stage.run();
    const job = stage.job();
    const message = poolJobMessage();
    expect(job.pool).toMatchObject({
      pool: "main",
      connection: CONNECTION,
      channelId: 2,
      jobId: 1,
      target: u256(0x7f),
    });
    expect(job).toMatchObject({ jobId: 1000, extranonceSize: 16, version: 0x20000000, minTime: 1_700_000_000 });
    expect(job.template.height).toBe(840_000);
    const extranonce = new Uint8Array(16).fill(5);
    expect(toHex(jobCoinbase(job, extranonce).stripped)).toBe(
      toHex(concat(message.coinbaseTxPrefix, Uint8Array.of(9, 8, 7, 6), extranonce, message.coinbaseTxSuffix)),
    );
    expect(stage.connection.currentJob()).toBe(job);
  });

  test("for a group are for the channel in it; a future one waits for its block", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server, told } = stage;
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2, minNtime: 1_700_000_050 }));
    expect(stage.job()).toMatchObject({ minTime: 1_700_000_050, prevHash: u256(9) });
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 3 }));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 2, jobId: 4 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 3, prevHash: u256(10) }));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 5, minNtime: 1_700_000_060 }));
    expect(told.slice(1)).toEqual(["newBlock 2/1", "refresh 2/2", "newBlock 2/3", "refresh 2/5"]);
    expect(stage.job().prevHash).toEqual(u256(10));
    expect(new Set(stage.jobs.map(({ job }) => job.jobId)).size).toBe(4);
  });

  test("that the group and the channel number alike are told apart by the address", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 2, jobId: 9, version: 0x20000001 }));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 9, version: 0x20000002 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 2, jobId: 9, prevHash: u256(10) }));
    expect(stage.job().version).toBe(0x20000001);
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 9, prevHash: u256(11) }));
    expect(stage.job().version).toBe(0x20000002);
  });

  test("follow the channel into another group", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server, told } = stage;
    server.send("SetGroupChannel", { groupChannelId: 50, channelIds: [2, 77] });
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2, minNtime: 1_700_000_050 }));
    expect(told).toHaveLength(2);
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 50, jobId: 3, minNtime: 1_700_000_050 }));
    expect(told.at(-1)).toBe("refresh 2/3");
  });

  test("keep their target: SetTarget is for later ones, and for future ones that wait (spec 5.3.21)", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    const first = stage.job();
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2 }));
    server.send("SetTarget", { channelId: 2, maximumTarget: u256(0x0f) });
    expect(first.pool?.target).toEqual(u256(0x7f));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 2 }));
    expect(stage.job().pool?.target).toEqual(u256(0x0f));
    server.send("SetTarget", { channelId: 1, maximumTarget: u256(0x03) });
    expect(stage.job().pool?.target).toEqual(u256(0x0f));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 3, minNtime: 1_700_000_050 }));
    expect(stage.job().pool?.target).toEqual(u256(0x03));
    expect(stage.job().pool?.difficulty).toBe(stage.connection.state().difficulty);
    expect(first.pool?.target).toEqual(u256(0x7f));
  });

  test("take the extranonce prefix that held when they were sent (spec 5.3.10)", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 2 }));
    server.send("SetExtranoncePrefix", { channelId: 2, extranoncePrefix: Uint8Array.of(1, 2, 3, 4) });
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 3 }));
    const prefixOf = (): string => toHex(stage.job().coinbasePrefix.slice(-4));
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 4, minNtime: 1_700_000_050 }));
    expect(prefixOf()).toBe("01020304");
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 2 }));
    expect(prefixOf()).toBe("09080706");
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 5 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 5 }));
    expect(prefixOf()).toBe("01020304");
  });

  test("that no block can be made of end the connection", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, minNtime: 1, coinbaseTxPrefix: u256(0) }));
    expect((await stage.end()).fault?.code).toBe("pool-job-invalid");
  });

  test("that come in floods reach those below at a bounded rate, the newest last", async () => {
    const { run, server, clock, told, jobs, goesOn } = upstreamStage();
    await run();
    const flood = (from: number): void => {
      for (let jobId = from; jobId < from + 300; jobId++)
        server.send("NewExtendedMiningJob", poolJobMessage({ jobId, minNtime: 1_700_000_001 }));
    };
    flood(2);
    // The first job was one of the eight.
    expect(told.slice(1)).toEqual(["newBlock 2/1", ...[2, 3, 4, 5, 6, 7, 8].map((jobId) => `refresh 2/${jobId}`)]);
    server.send("NewExtendedMiningJob", poolJobMessage({ jobId: 400 }));
    server.send("SetNewPrevHash", prevHashMessage({ jobId: 400, prevHash: u256(10) }));
    flood(500);
    expect(told).toHaveLength(9);
    clock.advance(250);
    expect(told.slice(9)).toEqual(["newBlock 2/799"]);
    expect(jobs.at(-1)?.job.prevHash).toEqual(u256(10));
    clock.advance(10_000);
    expect(told).toHaveLength(10);
    // A pool that is calm again is not made to wait.
    server.send("NewExtendedMiningJob", poolJobMessage({ jobId: 900, minNtime: 1_700_000_002 }));
    expect(told.at(-1)).toBe("refresh 2/900");
    expect(await goesOn()).toBe(true);
  });

  test("that came too soon after others and of which no block can be made end the connection all the same", async () => {
    const { run, server, clock, end } = upstreamStage();
    await run();
    for (let jobId = 2; jobId < 12; jobId++)
      server.send("NewExtendedMiningJob", poolJobMessage({ jobId, minNtime: 1_700_000_001 }));
    const coinbaseTxPrefix = new Uint8Array(3);
    server.send("NewExtendedMiningJob", poolJobMessage({ jobId: 12, minNtime: 1_700_000_001, coinbaseTxPrefix }));
    clock.advance(250);
    expect((await end()).fault?.code).toBe("pool-job-invalid");
  });

  test("of the future are kept up to a bound", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    for (let jobId = 2; jobId < 100; jobId++) {
      server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId }));
    }
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 68 }));
    expect(stage.told.at(-1)).toBe("newBlock 2/68");
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 1, jobId: 100 }));
    server.send("SetNewPrevHash", prevHashMessage({ channelId: 1, jobId: 99 }));
    // The block made it void.
    expect(facts((await stage.end()).fault)).toMatchObject({ code: "server-violation", jobId: 99 });
  });
});

describe("a pool that breaks the protocol loses the connection, and its shares their answers", () => {
  test.each([
    ["a block upon an unknown job", "SetNewPrevHash", prevHashMessage({ jobId: 44 })],
    [
      "a channel that nobody asked for",
      "OpenExtendedMiningChannelSuccess",
      {
        requestId: 99,
        channelId: 8,
        groupChannelId: 1,
        target: u256(1),
        extranonceSize: 16,
        extranoncePrefix: new Uint8Array(4),
      },
    ],
    [
      "a channel id that is in use",
      "OpenExtendedMiningChannelSuccess",
      {
        requestId: 1,
        channelId: 2,
        groupChannelId: 1,
        target: u256(1),
        extranonceSize: 16,
        extranoncePrefix: new Uint8Array(4),
      },
    ],
    ["a group with a channel's id", "SetGroupChannel", { groupChannelId: 2, channelIds: [2] }],
  ] as const)("%s", async (_what, name, value) => {
    const stage = upstreamStage();
    await stage.run();
    const { answers } = submit(stage);
    stage.server.send(name, value);
    expect((await stage.end()).fault?.code).toBe("server-violation");
    expect(answers).toEqual([null]);
    expect(stage.server.hangUps).toBe(1);
    expect(stage.meter.sums.get("upstream_connected{pool=main}")).toBe(0);
  });

  test("a job that is no future job before any block", async () => {
    const stage = upstreamStage({
      onMessage: playPool((message, server) => {
        if (message.name !== "OpenExtendedMiningChannel") return false;
        server.send("OpenExtendedMiningChannelSuccess", {
          requestId: message.value.requestId,
          channelId: 2,
          groupChannelId: 1,
          target: u256(1),
          extranonceSize: 16,
          extranoncePrefix: new Uint8Array(4),
        });
        server.send("NewExtendedMiningJob", poolJobMessage({ minNtime: 1 }));
        return true;
      }),
    });
    await stage.run();
    expect((await stage.end()).fault?.code).toBe("server-violation");
  });

  test("a frame that only clients send, and one that is broken off", async () => {
    for (const frame of ["000018ffffff", "000000000000", "008020010000 00"]) {
      const stage = upstreamStage();
      await stage.run();
      const { answers } = submit(stage);
      stage.server.sendFrame(Uint8Array.from(Buffer.from(frame.replaceAll(" ", ""), "hex")));
      expect((await stage.end()).fault?.code).toMatch(/^(frame-too-large|message-direction|bytes-truncated)$/);
      expect(answers).toEqual([null]);
    }
  });

  test("messages of other extensions, of no type that we know and for no channel of ours are passed over", async () => {
    const stage = upstreamStage();
    await stage.run();
    const { server } = stage;
    for (const frame of ["3412000000 00", "0000770000 00", "008077040000 01000000"]) {
      server.sendFrame(Uint8Array.from(Buffer.from(frame.replaceAll(" ", ""), "hex")));
    }
    server.send("SetTarget", { channelId: 99, maximumTarget: u256(1) });
    server.send("SetExtranoncePrefix", { channelId: 1, extranoncePrefix: Uint8Array.of(1) });
    server.send("NewExtendedMiningJob", poolJobMessage({ channelId: 99, minNtime: 5 }));
    server.send("NewMiningJob", { channelId: 2, jobId: 5, minNtime: null, version: 1, merkleRoot: u256(1) });
    server.send("UpdateChannelError", { channelId: 2, errorCode: "invalid-nominal-hashrate" });
    expect(await stage.goesOn()).toBe(true);
    expect(stage.told).toHaveLength(2);
    expect(submit(stage).isSent).toBe(true);
  });
});

describe("workers", () => {
  test("are named in shares as the pool's extension wants it", async () => {
    const stage = upstreamStage();
    await stage.run();
    submit(stage, { userIdentity: "account.rig1" });
    const { tlv } = stage.server.received.at(-1) ?? {};
    expect(toHex(tlv ?? new Uint8Array(0))).toBe(`0200${"01"}0400${Buffer.from("rig1").toString("hex")}`);
    expect(USER_IDENTITY_TLV.maxLength).toBe(32);
  });
});
