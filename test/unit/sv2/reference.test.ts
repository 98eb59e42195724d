import { describe, expect, test } from "vitest";
import { REFERENCE, renderReference } from "../../../src/sv2/reference.ts";
import { ALL_ROWS } from "../../support/sv2-tables.ts";

const page = renderReference(REFERENCE);

describe("the reference page", () => {
  test("has every message and every field", () => {
    for (const { name, row } of ALL_ROWS) {
      const start = page.indexOf(`### ${name}\n`);
      expect(start, name).toBeGreaterThan(0);
      for (const field of Object.keys(row.fields)) expect(page, name).toContain(`| \`${field}\` |`);
    }
  });

  test("spells a message out", () => {
    expect(page).toContain(
      [
        "### NewMiningJob",
        "",
        "`0x15` · server → client · channel bit · spec 5.3.15",
        "",
        "A standard job. Without `minNtime` it is a future job, which SetNewPrevHash activates.",
        "",
        "| field | type |",
        "|---|---|",
        "| `channelId` | U32 |",
        "| `jobId` | U32 |",
        "| `minNtime` | OPTION[U32] |",
        "| `version` | U32 |",
        "| `merkleRoot` | U256 |",
        "",
      ].join("\n"),
    );
    expect(page).toContain("spec 5.3.12 · may carry TLVs");
    expect(page).toContain("| `transactionList` | SEQ0_64K[B0_16M] |");
  });
});
