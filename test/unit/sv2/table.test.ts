import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Fault } from "../../../src/kernel/fault.ts";
import { mining } from "../../../src/sv2/messages/mining.ts";
import { templates } from "../../../src/sv2/messages/templates.ts";
import { b0_16m, u8, u32 } from "../../../src/sv2/primitives.ts";
import { checkDirection, codec, message } from "../../../src/sv2/table.ts";
import { arbitraryMessage } from "../../support/arbitraries.ts";
import { ALL_ROWS } from "../../support/sv2-tables.ts";

const faultOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return "none";
};

describe.each(ALL_ROWS)("$name (spec $row.spec)", ({ codec, name, row }) => {
  const runs = { numRuns: 30, seed: row.type + 1 };

  test("round trips through payload and frame", () => {
    fc.assert(
      fc.property(arbitraryMessage(row), (value) => {
        const payload = codec.encodePayload(name, value as never);
        const decoded = codec.decode(row.type, payload);
        expect(decoded).toEqual({ name, value, tlv: undefined });
        const frame = codec.encode(name, value as never);
        expect(frame.subarray(6)).toEqual(payload);
        expect(frame[0]! | (frame[1]! << 8)).toBe(codec.extensionType | (row.channel ? 0x8000 : 0));
        expect(frame[2]).toBe(row.type);
        expect(frame[3]! | (frame[4]! << 8) | (frame[5]! << 16)).toBe(payload.length);
      }),
      runs,
    );
  });

  test("every truncation is a fault", () => {
    fc.assert(
      fc.property(arbitraryMessage(row), fc.nat(), (value, cut) => {
        const payload = codec.encodePayload(name, value as never);
        const length = cut % payload.length;
        expect(faultOf(() => codec.decode(row.type, payload.subarray(0, length)))).toBe("bytes-truncated");
      }),
      runs,
    );
  });

  test(row.tlv === true ? "trailing bytes are its TLVs" : "trailing bytes are a fault", () => {
    fc.assert(
      fc.property(arbitraryMessage(row), fc.uint8Array({ minLength: 1, maxLength: 40 }), (value, tail) => {
        const payload = Uint8Array.from([...codec.encodePayload(name, value as never), ...tail]);
        if (row.tlv === true) {
          expect(codec.decode(row.type, payload)).toEqual({ name, value, tlv: tail });
          expect(codec.encodePayload(name, value as never, tail)).toEqual(payload);
        } else {
          expect(faultOf(() => codec.decode(row.type, payload))).toBe("bytes-trailing");
          expect(() => codec.encode(name, value as never, tail)).toThrow(TypeError);
        }
      }),
      runs,
    );
  });

  test("flipped bits throw nothing but a fault that costs the sender the connection", () => {
    fc.assert(
      fc.property(arbitraryMessage(row), fc.array(fc.nat(), { minLength: 1, maxLength: 8 }), (value, flips) => {
        const payload = codec.encodePayload(name, value as never);
        for (const flip of flips) {
          const bit = flip % (payload.length * 8);
          payload[bit >>> 3]! ^= 1 << (bit & 7);
        }
        try {
          codec.decode(row.type, payload);
        } catch (error) {
          expect(error).toBeInstanceOf(Fault);
          expect((error as Fault).act).toBe("drop");
        }
      }),
      runs,
    );
  });

  test("only the receiver that the row names may get it", () => {
    const may = (receiver: "server" | "client"): boolean =>
      faultOf(() => checkDirection(name, row, receiver)) === "none";
    expect({ server: may("server"), client: may("client") }).toEqual({
      server: row.to !== "client",
      client: row.to !== "server",
    });
    expect(faultOf(() => checkDirection(name, row, row.to === "client" ? "server" : "client"))).toBe(
      row.to === "both" ? "none" : "message-direction",
    );
  });

  test("says in a sentence what it is for", () => {
    expect(row.doc).toMatch(/^[A-Z][^\n]{15,}\.$/);
  });
});

describe("a codec", () => {
  test("faults on a type that its table does not have", () => {
    for (const type of [0x1e, 0x26, 0xff, 0x100, -1]) {
      expect(faultOf(() => mining.decode(type, new Uint8Array(0)))).toBe("message-unknown");
    }
  });

  test("two protocols may use one name for different messages", () => {
    expect(mining.row("SetNewPrevHash").type).toBe(0x20);
    expect(templates.row("SetNewPrevHash").type).toBe(0x72);
  });

  test("refuses a wrong table: a type used twice, a channel message without channel id", () => {
    const row = { to: "server", channel: false, spec: "0", doc: "None.", fields: {} } as const;
    expect(() => codec({ A: message({ ...row, type: 1 }), B: message({ ...row, type: 1 }) })).toThrow(
      /used twice: A, B/,
    );
    expect(() => codec({ A: message({ ...row, type: 1, channel: true, fields: { requestId: u8 } }) })).toThrow(
      /channel id/,
    );
    expect(() => codec({ A: message({ ...row, type: 1, channel: true }) })).toThrow(/channel id/);
    expect(() => codec({ A: message({ ...row, type: 1, channel: true, fields: { channelId: u32 } }) })).not.toThrow();
  });

  test("refuses an unknown name and a payload that no frame can announce", () => {
    expect(() => mining.encode("NoSuchMessage" as never, {} as never)).toThrow(TypeError);
    const wide = codec({
      Wide: message({ type: 1, to: "both", channel: false, spec: "0", doc: "Wide.", fields: { a: b0_16m, b: b0_16m } }),
    });
    const half = new Uint8Array(0x800000);
    expect(() => wide.encode("Wide", { a: half, b: half })).toThrow(/does not fit a frame/);
  });

  test("a message that could not be encoded leaves nothing behind for the next one", () => {
    expect(() => mining.encode("SetTarget", { channelId: 1, maximumTarget: new Uint8Array(31) })).toThrow(TypeError);
    expect(mining.encode("CloseChannel", { channelId: 1, reasonCode: "" })).toEqual(
      Uint8Array.of(0x00, 0x80, 0x18, 5, 0, 0, 1, 0, 0, 0, 0),
    );
  });

  test("encoded frames do not share memory with one another", () => {
    const first = mining.encode("CloseChannel", { channelId: 1, reasonCode: "" });
    const copy = first.slice();
    mining.encode("CloseChannel", { channelId: 0xffffffff, reasonCode: "zzz" });
    expect(first).toEqual(copy);
  });
});
