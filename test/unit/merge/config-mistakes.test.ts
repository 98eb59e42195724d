import { describe, expect, test } from "vitest";
import { z } from "zod";
import { configMistakes } from "../../../src/merge/config-mistakes.ts";

const schema = z.strictObject({
  payout_address: z.string().min(1),
  poll_s: z.number().min(1).max(60).default(5),
  api_key: z.string().optional(),
  daemons: z
    .array(z.strictObject({ url: z.string().regex(/^http/, "a URL"), password: z.string().optional() }))
    .min(1)
    .max(2)
    .default([]),
  tag: z.union([z.strictObject({ hex: z.string() }), z.strictObject({ text: z.string() })]).optional(),
});

function mistakes(raw: unknown): string[] {
  const parsed = schema.safeParse(raw);
  if (parsed.success) throw new Error("there is no mistake in it");
  return configMistakes(parsed.error, raw, schema, ["plugin", "enabled"]);
}

describe("what is wrong with a table", () => {
  test("an unknown key: what was meant, or what is known, the host's keys included", () => {
    expect(mistakes({ payout_address: "N", pol_s: 1 })).toEqual(['pol_s: unknown key; did you mean "poll_s"?']);
    expect(mistakes({ payout_address: "N", enabld: true })).toEqual(['enabld: unknown key; did you mean "enabled"?']);
    expect(mistakes({ payout_address: "N", zzzzzzzzz: 1 })[0]).toBe(
      "zzzzzzzzz: unknown key; known keys are payout_address, poll_s, api_key, daemons, tag, plugin, enabled",
    );
  });

  test("inside a list of tables the list's own keys are known, and no others", () => {
    expect(mistakes({ payout_address: "N", daemons: [{ url: "http://a", pasword: "x" }] })).toEqual([
      'daemons.0.pasword: unknown key; did you mean "password"?',
    ]);
    expect(mistakes({ payout_address: "N", daemons: [{ url: "http://a", plugin: "x" }] })[0]).toContain(
      "known keys are url, password",
    );
  });

  test("a missing key, a wrong type, a number out of range", () => {
    expect(mistakes({ poll_s: 100 })).toEqual([
      "payout_address: is missing; expected a string",
      "poll_s: is 100; expected at most 60",
    ]);
    expect(mistakes({ payout_address: 5 })).toEqual(["payout_address: is 5; expected a string"]);
  });

  test("what the author of a schema wrote is said as it stands, and `expected` before what only names a thing", () => {
    const plugins = z.strictObject({
      payout: z
        .string({ error: "payout is missing: the Pebble address that blocks are to pay" })
        .regex(/^p/, "payout is no Pebble address"),
      daemons: z
        .array(z.string(), { error: "daemons: a list of addresses is needed" })
        .min(1, "daemons is empty: at least one is needed"),
      list: z.array(z.string()).default([]),
      mode: z.enum(["a", "b"], "Choose a or b.").default("a"),
      tag: z.string().regex(/^t/, "a tag that begins with t").default("t"),
    });
    const said = (raw: object): string[] => {
      const { error } = plugins.safeParse({ payout: "p", daemons: ["d"], ...raw });
      return error === undefined ? [] : configMistakes(error, { payout: "p", daemons: ["d"], ...raw }, plugins);
    };
    expect(said({ payout: undefined })).toEqual(["payout: is missing: the Pebble address that blocks are to pay"]);
    expect(said({ payout: "b" })).toEqual(['payout: is "b"; payout is no Pebble address']);
    expect(said({ daemons: [] })).toEqual(["daemons: is []; daemons is empty: at least one is needed"]);
    expect(said({ daemons: 1 })).toEqual(["daemons: is 1; daemons: a list of addresses is needed"]);
    expect(said({ list: 1 })).toEqual(["list: is 1; expected a list"]);
    expect(said({ list: { a: 1 } })).toEqual(['list: is {"a":1}; expected a list']);
    expect(said({ mode: "c" })).toEqual(['mode: is "c"; Choose a or b.']);
    expect(said({ tag: "x" })).toEqual(['tag: is "x"; expected a tag that begins with t']);
  });

  test("no secret is shown: not under its key, not in a table, not in a URL", () => {
    const said = mistakes({
      payout_address: "N",
      api_key: 111222333,
      daemons: [{ url: "htp://me:hush1@host/", password: 444555666 }],
      tag: { password: "hush2" },
    }).join("\n");
    expect(said).toContain("api_key: has a bad value; expected a string");
    expect(said).toContain("daemons.0.password: has a bad value");
    expect(said).toContain('daemons.0.url: is "htp://…@host/"; expected a URL');
    expect(said).not.toMatch(/111222333|444555666|hush/);
  });
});
