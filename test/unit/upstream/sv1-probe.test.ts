import { describe, expect, test } from "vitest";
import type { Dial } from "../../../src/client/link.ts";
import { utf8 } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { parsePoolUrl } from "../../../src/upstream/pool-url.ts";
import { isStratumV1, speaksStratumV1 } from "../../../src/upstream/sv1-probe.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { settle } from "../../support/upstream-stage.ts";

const KEY = "9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72";
const SERVER = parsePoolUrl("tcp://pool.example:3333");

describe("a pool's address", () => {
  test("may be one of Stratum V1, whatever is spoken there", () => {
    expect(parsePoolUrl(`stratum+tcp://pool.example:3333/${KEY}`)).toMatchObject({
      transport: "tcp",
      host: "pool.example",
      port: 3333,
      noise: true,
      authorityPublicKey: expect.any(Uint8Array),
      probed: true,
    });
  });

  test.each([
    ["stratum2+tcp://pool.example:3333", "tcp"],
    ["tcp://pool.example:3333", "tcp"],
    ["stratum2+tls://pool.example:3333", "tls"],
    ["stratum2+quic://[2001:db8::7]:3333", "quic"],
  ])("is taken at its word: %s", (text, transport) => {
    expect(parsePoolUrl(text)).toMatchObject({ transport, probed: false });
  });

  test.each(["stratum+tcp://pool.example", "stratum+ssl://pool.example:443", "stratum+tcp:pool.example:1", ""])(
    "is refused: %j",
    (text) => {
      expect(() => parsePoolUrl(text)).toThrow(expect.objectContaining({ code: "sv2-url-invalid" }));
    },
  );
});

describe("what Stratum V1 looks like", () => {
  // The shapes of mining.subscribe's answer, an error, and a server's own first line (test/vectors: sv1-session).
  test.each([
    ['{"id":1,"result":[[["mining.set_difficulty","b4b6"],["mining.notify","ae68"]],"08000002",4],"error":null}', true],
    ['{"id": 1, "error": [20, "Other/Unknown", null], "result": null}', true],
    ['{"id":null,"method":"mining.set_difficulty","params":[1024]}\n{"x":1}', true],
    ["HTTP/1.1 400 Bad Request\r\n\r\n", false],
    ['{"status":"ok"}', false],
    ["", false],
  ])("%j: %s", (text, is) => {
    expect(isStratumV1(utf8(text))).toBe(is);
  });

  test("is no act of Noise", () => {
    for (let byte = 0; byte < 256; byte++) expect(isStratumV1(new Uint8Array(234).fill(byte))).toBe(false);
  });
});

describe("the probe", () => {
  test("asks in Stratum V1, takes the answer in pieces, and hangs up", async () => {
    const sent: string[] = [];
    let isOpen = true;
    const dial: Dial = async (_server, { onData }) => ({
      write(bytes) {
        sent.push(Buffer.from(bytes).toString());
        for (const piece of ['{"id":1,"resu', 'lt":[[],"08000002",4],"error":null}\n']) onData(utf8(piece));
      },
      end: () => undefined,
      destroy: () => {
        isOpen = false;
      },
    });
    const clock = new FakeClock();
    expect(await speaksStratumV1({ clock, dial }, SERVER)).toBe(true);
    expect(sent).toEqual(['{"id":1,"method":"mining.subscribe","params":["bllvm-stratum-v2"]}\n']);
    expect(isOpen).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test("says no of a flood without a line's end", async () => {
    const dial: Dial = async (_server, { onData }) => ({
      write() {
        for (let i = 0; i < 100; i++) onData(new Uint8Array(1000).fill(0x7b));
      },
      end: () => undefined,
      destroy: () => undefined,
    });
    expect(await speaksStratumV1({ clock: new FakeClock(), dial }, SERVER)).toBe(false);
  });

  test.each([
    ["cannot be reached", async () => Promise.reject(new Fault("server-unreachable"))],
    ["hangs up", async (_server, { onClose }) => ({ write: () => onClose("gone"), end() {}, destroy() {} })],
  ] as const satisfies readonly (readonly [string, Dial])[])("says no of a server that %s", async (_what, dial) => {
    expect(await speaksStratumV1({ clock: new FakeClock(), dial }, SERVER)).toBe(false);
  });

  test("waits three seconds, and not when it is stopped", async () => {
    const dial: Dial = async () => ({ write() {}, end() {}, destroy() {} });
    const clock = new FakeClock();
    let said: boolean | undefined;
    void speaksStratumV1({ clock, dial }, SERVER).then((is) => {
      said = is;
    });
    await settle();
    clock.advance(2_999);
    await settle();
    expect(said).toBeUndefined();
    clock.advance(1);
    await settle();
    expect(said).toBe(false);
    const stop = new AbortController();
    const probing = speaksStratumV1({ clock, dial }, SERVER, stop.signal);
    await settle();
    stop.abort();
    expect(await probing).toBe(false);
    expect(clock.pending).toBe(0);
  });
});
