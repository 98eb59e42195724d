/** The heartbeat of older nodes, over a listener without a system. */
import { describe, expect, test } from "vitest";
import type { ListenUnix, SocketEvents } from "../../../../../src/daemon/socket.ts";
import { LegacyEndpoint } from "../../../../../src/node/bllvm/client/legacy-endpoint.ts";
import type { ModuleMessage } from "../../../../../src/node/bllvm/wire/codec.ts";
import { wireCodec } from "../../../../../src/node/bllvm/wire/codec.ts";
import { golden, hashOf } from "../../../../support/bllvm-client.ts";
import { recordingLog } from "../../../../support/recording-log.ts";

async function setUp() {
  let tip: Uint8Array | undefined;
  let accept: Parameters<ListenUnix>[1] = () => ({ onData() {}, onClose() {} });
  const closed: string[] = [];
  const endpoint = new LegacyEndpoint(
    {
      log: recordingLog(),
      tipHash: () => tip,
      listen: async (path, given) => {
        accept = given;
        return { close: async () => void closed.push(path) };
      },
    },
    { path: "/run/bllvm-stratum-v2.sock" },
  );
  await endpoint.start(new AbortController().signal);
  const connect = () => {
    const socket = { written: [] as Uint8Array[], bufferedBytes: 0, destroyed: false };
    const events: Omit<SocketEvents, "onOpen"> = accept({
      get bufferedBytes() {
        return socket.bufferedBytes;
      },
      write: (bytes) => void socket.written.push(bytes),
      destroy: () => {
        socket.destroyed = true;
      },
    });
    const answers = (): ModuleMessage[] => socket.written.map((frame) => wireCodec("n0").decode(frame.subarray(4)));
    return { socket, events, answers };
  };
  return {
    endpoint,
    closed,
    connect,
    setTip: (hash: Uint8Array) => {
      tip = hash;
    },
  };
}

const question = (correlationId: bigint): Uint8Array =>
  wireCodec("n0").encode({ type: "Request", correlationId, request: { name: "GetChainTip", value: {} } });

describe("LegacyEndpoint", () => {
  test("answers the heartbeat at once: with the tip, and in words before there is one", async () => {
    const { connect, setTip } = await setUp();
    const { events, answers } = connect();
    events.onData(question(0n));
    setTip(hashOf(5));
    events.onData(question(0n));
    const base = { type: "Response", correlationId: 0n };
    expect(answers()).toEqual([
      { ...base, success: false, payload: null, error: "no tip is known yet" },
      { ...base, success: true, payload: { name: "Hash", value: { hash: hashOf(5) } }, error: null },
    ]);
  });

  test("answers the golden request with the golden response", async () => {
    const { connect, setTip } = await setUp();
    setTip(Uint8Array.from({ length: 32 }, (_, i) => i));
    const { socket, events } = connect();
    const frame = golden("head.req.get_chain_tip");
    events.onData(frame.subarray(0, 7));
    expect(socket.written).toEqual([]);
    events.onData(frame.subarray(7));
    expect(socket.written).toEqual([golden("head.resp.hash")]);
  });

  test("answers every other request in words, and nothing to what is no request", async () => {
    const { connect } = await setUp();
    const { events, answers, socket } = connect();
    events.onData(golden("head.req.get_block_height"));
    expect(answers()).toMatchObject([{ correlationId: 4n, success: false, payload: null }]);
    events.onData(golden("head.event.new_block"));
    expect(answers()).toHaveLength(1);
    expect(socket.destroyed).toBe(false);
  });

  test("serves four at once, and each only as long as it speaks and reads", async () => {
    const { connect } = await setUp();
    const four = Array.from({ length: 4 }, connect);
    const fifth = connect();
    expect(fifth.socket.destroyed).toBe(true);
    fifth.events.onData(question(1n));
    expect(fifth.socket.written).toEqual([]);
    four[0]?.events.onData(Uint8Array.of(0, 0, 0, 4, 255, 255, 255, 255));
    four[1]?.events.onData(Uint8Array.of(0, 2, 0, 0));
    if (four[2] !== undefined) four[2].socket.bufferedBytes = 1 << 20;
    four[2]?.events.onData(question(1n));
    four[3]?.events.onClose(undefined);
    expect(four.map(({ socket }) => socket.destroyed)).toEqual([true, true, true, false]);
    const later = connect();
    later.events.onData(question(1n));
    expect(later.answers()).toHaveLength(1);
  });

  test("says what to do when it cannot listen, and goes with the program", async () => {
    const failing = new LegacyEndpoint(
      {
        log: recordingLog(),
        tipHash: () => undefined,
        listen: async () => Promise.reject(Object.assign(new Error("listen EACCES"), { code: "EACCES" })),
      },
      { path: "/srv/x.sock" },
    );
    await expect(failing.start(new AbortController().signal)).rejects.toThrow(
      expect.objectContaining({ code: "bllvm-socket-path", act: "halt" }),
    );
    const { endpoint, closed } = await setUp();
    await endpoint.stop();
    expect(closed).toEqual(["/run/bllvm-stratum-v2.sock"]);
  });
});
