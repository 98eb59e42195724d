/** The fake node's own codec against frames that the real node's protocol.rs and bincode 1.3.3 made. */
import { describe, expect, test } from "vitest";
import { fromHex, toHex } from "../../../../src/kernel/bytes.ts";
import { BincodeError } from "../../../support/bllvm/bincode.ts";
import { FrameCutter, FrameTooLong } from "../../../support/bllvm/frames.ts";
import { frameOf, wireOf } from "../../../support/bllvm/messages.ts";
import { FAKE_SCHEMAS } from "../../../support/bllvm/schemas.ts";
import vectors from "../../../vectors/bllvm-ipc.json" with { type: "json" };

const golden = vectors.flatMap(({ name, frame }) =>
  name === undefined || frame === undefined ? [] : [{ name, frame }],
);
const readable = golden.filter(({ name }) => !name.includes("invocation.rpc"));

const frameCalled = (wanted: string): string => golden.find(({ name }) => name === wanted)?.frame ?? "";

describe("the fake node's messages", () => {
  test("all golden frames are there", () => expect(golden).toHaveLength(56));

  test.each(readable)("$name is read and written byte for byte", ({ name, frame }) => {
    const wire = wireOf(name.startsWith("n1.") ? "n1" : "s3");
    const [payload] = new FrameCutter(wire.maxPayload).push(fromHex(frame));
    expect(toHex(wire.frame(wire.decode(payload!)))).toBe(frame);
  });

  test("what is common to all versions is the same bytes in each", () => {
    for (const name of ["req.handshake", "resp.handshake_ack", "req.get_chain_tip", "resp.hash", "event.chain_reorg"]) {
      const frame = fromHex(frameCalled(`head.${name}`));
      for (const schema of FAKE_SCHEMAS) {
        const wire = wireOf(schema);
        expect(wire.frame(wire.decode(frame.subarray(4)))).toEqual(frame);
      }
    }
  });

  test("PublishEvent has another index in each family, and the others cannot read it", () => {
    const n1 = fromHex(frameCalled("n1.req.publish.mining_job_created")).subarray(4);
    expect(wireOf("n1").decode(n1)).toMatchObject({ request: { name: "PublishEvent" } });
    expect(wireOf("n2").decode(n1)).toMatchObject({ request: { name: "PublishEvent" } });
    expect(() => wireOf("s3").decode(n1)).toThrow(BincodeError);
    const s3 = fromHex(frameCalled("head.req.publish.mining_job_created")).subarray(4);
    expect(wireOf("s2").decode(s3)).toMatchObject({
      request: { name: "PublishEvent", value: { event: { name: "MiningJobCreated" } } },
    });
    expect(() => wireOf("n0").decode(s3)).toThrow(BincodeError);
  });

  test("a JSON value cannot be read, bytes behind a message do not matter, a half message does", () => {
    const wire = wireOf("s3");
    const rpc = golden.find(({ name }) => name.includes("invocation.rpc"))?.frame ?? "";
    expect(() => wire.decode(fromHex(rpc).subarray(4))).toThrow("DeserializeAnyNotSupported");
    const tip = fromHex(frameCalled("head.req.get_chain_tip")).subarray(4);
    expect(wire.decode(Uint8Array.of(...tip, 1, 2, 3))).toEqual(wire.decode(tip));
    expect(() => wire.decode(tip.subarray(0, -1))).toThrow(BincodeError);
  });

  test("frames come out of any chunks, and one that is too long is refused by its length", () => {
    const frames = readable.map(({ frame }) => fromHex(frame));
    const all = Uint8Array.from(Buffer.concat(frames));
    for (const size of [1, 7, 4096]) {
      const cutter = new FrameCutter(1 << 20);
      const out: Uint8Array[] = [];
      for (let at = 0; at < all.length; at += size) out.push(...cutter.push(all.subarray(at, at + size)));
      expect(out.map(frameOf)).toEqual(frames);
    }
    expect(new FrameCutter(3).push(frameOf(new Uint8Array(3)))).toHaveLength(1);
    expect(() => new FrameCutter(3).push(frameOf(new Uint8Array(4)))).toThrow(FrameTooLong);
  });
});
