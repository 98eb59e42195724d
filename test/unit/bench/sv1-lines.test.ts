import { describe, expect, test } from "vitest";
import { fromHex } from "../../../src/kernel/bytes.ts";
import { RECORDED, TERSE } from "../../bench/bandwidth/sv1-lines.ts";
import recorded from "../../vectors/sv1-session.json" with { type: "json" };

const lines = recorded.session.map(({ line }) => line.trimEnd());
const withMethod = (method: string): string[] => lines.filter((line) => JSON.parse(line).method === method);
const submits = withMethod("mining.submit");
const notifies = withMethod("mining.notify");

describe("the recorded spelling", () => {
  test("opens a connection with the recorded lines", () => {
    const opening = RECORDED.opening.flat();
    expect(lines.filter((line) => opening.includes(line))).toEqual([
      opening[0],
      opening[1],
      opening[2],
      opening[3],
      opening[4],
      opening[5],
    ]);
  });

  test.each(submits)("submits %s", (line) => {
    const [, jobId, , ntime, nonce] = JSON.parse(line).params as [string, string, string, string, string];
    expect(RECORDED.submit({ jobId, ntime, nonce })).toBe(line);
  });

  test.each(notifies)("notifies %s", (line) => {
    const params = JSON.parse(line).params as [
      string,
      string,
      string,
      string,
      string[],
      string,
      string,
      string,
      boolean,
    ];
    const [jobId, words, prefix, suffix, branches, version, nBits, ntime, clean] = params;
    const job = {
      prevHash: new Uint8Array(Buffer.from(words, "hex").swap32()),
      coinbasePrefix: fromHex(prefix),
      coinbaseSuffix: fromHex(suffix),
      merklePath: branches.map(fromHex),
      version: Number.parseInt(version, 16),
      nBits: Number.parseInt(nBits, 16),
      minTime: Number.parseInt(ntime, 16),
    };
    expect(RECORDED.notify(job, jobId, clean)).toBe(line);
  });

  test("answers and sets difficulties as recorded", () => {
    expect(lines).toContain(RECORDED.accepted);
    expect(lines).toContain(RECORDED.difficulty(0.002));
  });
});

test("the shortest spelling says the same in fewer bytes", () => {
  const share = { jobId: "6b", ntime: "6b02e931", nonce: "e024b300" };
  expect(JSON.parse(TERSE.submit(share))).toMatchObject({
    method: "mining.submit",
    params: ["slush.m1", "6b", "00000000", "6b02e931", "e024b300"],
  });
  expect(TERSE.submit(share).length).toBeLessThan(RECORDED.submit(share).length);
});
