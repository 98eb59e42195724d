import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { decodeFrameHeader, encodeFrameHeader, type Frame, FrameDecoder } from "../../../src/sv2/frame.ts";
import { fakeCipher } from "../../support/fake-noise.ts";

const frame = (msgType: number, payload: Uint8Array, channel = false, extensionType = 0): Uint8Array =>
  concat(encodeFrameHeader({ extensionType, channel, msgType, length: payload.length }), payload);
const decoder = (maxFrameSize = 1000): FrameDecoder => new FrameDecoder({}, { maxFrameSize });
const thrown = (run: () => unknown): Fault => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("a frame header (spec 3.2)", () => {
  test("the channel bit is the highest bit of the extension type: 0x8abc is extension 0x0abc", () => {
    expect(decodeFrameHeader(fromHex("bc8a15030201"))).toEqual({
      extensionType: 0x0abc,
      channel: true,
      msgType: 0x15,
      length: 0x010203,
    });
    expect(toHex(encodeFrameHeader({ extensionType: 0x0abc, channel: true, msgType: 0x15, length: 0x010203 }))).toBe(
      "bc8a15030201",
    );
    expect(decodeFrameHeader(fromHex("bc0a15000000")).channel).toBe(false);
  });

  test("any six bytes are a header and come back unchanged", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (bytes) => {
        expect(encodeFrameHeader(decodeFrameHeader(bytes))).toEqual(bytes);
      }),
      { seed: 2 },
    );
  });

  test("five bytes are a fault; values out of range are a programming error", () => {
    expect(thrown(() => decodeFrameHeader(new Uint8Array(5))).code).toBe("bytes-truncated");
    const header = { extensionType: 0, channel: false, msgType: 0, length: 0 };
    expect(() => encodeFrameHeader({ ...header, extensionType: 0x8000 })).toThrow(TypeError);
    expect(() => encodeFrameHeader({ ...header, msgType: 256 })).toThrow(TypeError);
    expect(() => encodeFrameHeader({ ...header, length: 0x1000000 })).toThrow(TypeError);
    expect(() => encodeFrameHeader({ ...header, length: -1 })).toThrow(TypeError);
  });
});

describe("a frame decoder", () => {
  const payloads = [
    new Uint8Array(0),
    Uint8Array.of(9),
    new Uint8Array(300).fill(7),
    new Uint8Array(0),
    new Uint8Array(64),
  ];
  const stream = concat(...payloads.map((payload, i) => frame(i, payload, i % 2 === 1, i)));
  const expected: Frame[] = payloads.map((payload, i) => ({
    extensionType: i,
    channel: i % 2 === 1,
    msgType: i,
    payload,
  }));

  test("finds the same frames wherever the stream is cut", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: stream.length })), (cuts) => {
        const at = [0, ...cuts.sort((a, b) => a - b), stream.length];
        const cutter = decoder();
        const frames = at.slice(1).flatMap((end, i) => cutter.push(stream.subarray(at[i], end)));
        expect(frames).toEqual(expected);
        expect(cutter.buffered).toBe(0);
      }),
      { seed: 3 },
    );
  });

  test("finds the same frames byte by byte, plain and encrypted", () => {
    const plain = decoder();
    expect([...stream].flatMap((byte) => plain.push(Uint8Array.of(byte)))).toEqual(expected);

    const cipher = fakeCipher();
    const encrypted = concat(...payloads.map((payload, i) => cipher.encryptFrame(frame(i, payload, i % 2 === 1, i))));
    const decrypting = new FrameDecoder({ cipher: fakeCipher() }, { maxFrameSize: 1000 });
    expect([...encrypted].flatMap((byte) => decrypting.push(Uint8Array.of(byte)))).toEqual(expected);
  });

  test("an empty payload has no second block: header and nothing else moves the nonce", () => {
    const sending = fakeCipher();
    const receiving = fakeCipher();
    const empty = sending.encryptFrame(frame(1, new Uint8Array(0)));
    expect(empty).toHaveLength(22);
    expect(new FrameDecoder({ cipher: receiving }, { maxFrameSize: 0 }).push(empty)).toHaveLength(1);
    expect(receiving.nonce).toBe(1);
  });

  test("takes a payload of exactly the limit, refuses one byte more from the header alone", () => {
    expect(decoder(300).push(frame(1, new Uint8Array(300)))).toHaveLength(1);
    const refusing = decoder(300);
    const header = frame(1, new Uint8Array(301)).subarray(0, 6);
    const fault = thrown(() => refusing.push(header));
    expect(fault.code).toBe("frame-too-large");
    expect(fault.data).toEqual({ length: 301, max: 300 });
    expect(refusing.buffered).toBe(0);
    expect(thrown(() => refusing.push(new Uint8Array(1))).code).toBe("frame-too-large");
  });

  test("frames in front of a broken one are not lost with it, wherever the stream is cut", () => {
    const good = concat(frame(1, Uint8Array.of(7)), frame(2, Uint8Array.of(8, 9)));
    const broken = frame(3, new Uint8Array(301)).subarray(0, 6);
    for (let cut = 0; cut <= good.length + 6; cut++) {
      const refusing = decoder(300);
      const frames: Frame[] = [];
      const fault = thrown(() => {
        for (const bytes of [concat(good, broken).subarray(0, cut), concat(good, broken).subarray(cut)]) {
          frames.push(...refusing.push(bytes));
          refusing.check();
        }
      });
      expect(fault.code).toBe("frame-too-large");
      expect(frames.map(({ msgType }) => msgType)).toEqual([1, 2]);
      expect(thrown(() => refusing.check())).toBe(fault);
      expect(thrown(() => refusing.push(frame(1, new Uint8Array(0))))).toBe(fault);
    }
  });

  test("refuses a 16 MiB frame as soon as its encrypted header is whole", () => {
    const header = fakeCipher().encryptFrame(fromHex("000001ffffff"));
    const refusing = new FrameDecoder({ cipher: fakeCipher() }, { maxFrameSize: 65536 });
    expect(refusing.push(header.subarray(0, 21))).toEqual([]);
    expect(thrown(() => refusing.push(header.subarray(21))).data).toEqual({ length: 0xffffff, max: 65536 });
  });

  test("holds what came of an incomplete frame and never what was only announced", () => {
    const big = frame(1, new Uint8Array(900_000));
    const holding = decoder(1_000_000);
    holding.push(big.subarray(0, 6));
    expect(holding.buffered).toBe(0);
    holding.push(big.subarray(6, 20));
    expect(holding.buffered).toBe(14);
    holding.push(big.subarray(20, 100_006));
    expect(holding.buffered).toBe(100_000);
    expect(holding.push(big.subarray(100_006))).toHaveLength(1);
    expect(holding.buffered).toBe(0);
  });

  test("what it returned stays as it was when more is received", () => {
    const keeping = decoder();
    const bytes = concat(frame(1, Uint8Array.of(1, 2, 3, 4)), frame(2, Uint8Array.of(5, 6, 7, 8)));
    const [first] = [keeping.push(bytes.slice(0, 8)), keeping.push(bytes.slice(8, 12))].flat();
    const [second] = keeping.push(bytes.slice(12));
    expect([first?.payload, second?.payload]).toEqual([Uint8Array.of(1, 2, 3, 4), Uint8Array.of(5, 6, 7, 8)]);
  });
});
