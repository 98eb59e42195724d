import { describe, expect, test } from "vitest";
import { renderContract } from "../../../src/app/contract-page.ts";
import { RULES } from "../../../src/kit/checks.ts";

describe("the page of the plugin contract", () => {
  const page = renderContract();

  test("shows every field with its type and its comment", () => {
    expect(page).toContain("### ChainPlugin");
    expect(page).toMatch(/^\| `strictChainId` \| `boolean` \| Whether the chain refuses .*\|$/m);
    expect(page).toMatch(/^\| `verify\?` \| `\(proof: Proof\): string \\\| undefined` \| The plugin's own check/m);
    expect(page).toMatch(/^\| `submit` \| `\(proof: Proof, signal: AbortSignal\): Promise<Outcome>` \|/m);
    expect(page).toMatch(/^\| `first\?` \| `Uint8Array` \|/m);
    expect(page.match(/^\| `\w+\??` \|/gm)?.length).toBeGreaterThan(70);
    expect(page).not.toMatch(/\| *\|$/m);
  });

  test("lists every rule of the kit", () => {
    for (const { id } of RULES) expect(page).toContain(`| \`${id}\` |`);
  });
});
