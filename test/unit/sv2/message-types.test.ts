import { describe, expect, test } from "vitest";
import { CODECS, ROWS } from "../../support/sv2-tables.ts";
import vectors from "../../vectors/sv2-message-types.json" with { type: "json" };

/** `OpenStandardMiningChannel.Success` as the spec writes it; our names leave the point out. */
const ours = (name: string): string => name.replace(".", "");

describe("message types (spec section 8)", () => {
  test.each(vectors.messages)("$name", ({ extensionType, type, channel, name }) => {
    const found = Object.values(CODECS).filter(
      (codec) => codec.extensionType === extensionType && codec.byType.has(type),
    );
    expect(found.map((codec) => codec.byType.get(type))).toEqual([ours(name)]);
    expect(found[0]?.table[ours(name)]?.channel).toBe(channel);
  });

  test("the tables have no message that the spec does not have", () => {
    expect(ROWS.map(({ name }) => name).sort()).toEqual(vectors.messages.map(({ name }) => ours(name)).sort());
  });
});
