import { describe, expect, test } from "vitest";
import { concat, fromHex, toHex } from "../../../src/kernel/bytes.ts";
import { lookup } from "../../../src/sv2/dialect.ts";
import { FrameDecoder } from "../../../src/sv2/frame.ts";
import { decodeTlvs, encodeTlv } from "../../../src/sv2/tlv.ts";
import { plain, unplain } from "../../support/arbitraries.ts";
import { type AnyCodec, CODECS, ROWS } from "../../support/sv2-tables.ts";
import vectors from "../../vectors/sri-messages.json" with { type: "json" };

interface Golden {
  readonly name: string;
  readonly case: string;
  readonly extensionType: number;
  readonly msgType: number;
  readonly channelBit: boolean;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly payloadHex: string;
  readonly frameHex: string;
  readonly tlvs?: readonly { readonly extensionType: number; readonly fieldType: number; readonly valueHex: string }[];
}

const messages = vectors.messages as readonly Golden[];
const codecs: readonly AnyCodec[] = Object.values(CODECS);

describe("messages encoded by SRI's crates", () => {
  test.each(messages)("$name, $case", (golden) => {
    const [frame] = new FrameDecoder({}, { maxFrameSize: 0xffffff }).push(fromHex(golden.frameHex));
    expect(frame).toMatchObject({
      extensionType: golden.extensionType,
      channel: golden.channelBit,
      msgType: golden.msgType,
    });
    const found = lookup(codecs, frame!);
    if (found.kind !== "known") throw new Error(`${golden.name} is ${found.kind}`);
    expect(found.name).toBe(golden.name.replace(".", ""));
    expect(found.row.channel).toBe(golden.channelBit);

    const { value, tlv } = found.codec.decode(frame!.msgType, frame!.payload);
    expect(plain(value)).toEqual(golden.fields);
    const tlvs = (golden.tlvs ?? []).map(({ extensionType, fieldType, valueHex }) => ({
      extensionType,
      field: fieldType,
      value: fromHex(valueHex),
    }));
    expect(tlv === undefined ? [] : decodeTlvs(tlv)).toEqual(tlvs);

    const tail = concat(...tlvs.map((one) => encodeTlv(one.extensionType, one.field, one.value)));
    const again = found.codec.encode(
      found.name,
      unplain(found.row, golden.fields) as never,
      tail.length === 0 ? undefined : tail,
    );
    expect(toHex(again)).toBe(golden.frameHex);
    expect(toHex(again.subarray(6))).toBe(golden.payloadHex);
  });

  test("every row of every table is among them", () => {
    const golden = new Set(messages.map(({ extensionType, msgType }) => `${extensionType}:${msgType}`));
    const missing = ROWS.filter(({ codec, row }) => !golden.has(`${codec.extensionType}:${row.type}`));
    expect(missing.map(({ name }) => name)).toEqual([]);
  });
});
