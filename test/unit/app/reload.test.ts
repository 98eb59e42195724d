import { describe, expect, test } from "vitest";
import { parseConfig } from "../../../src/app/config/load.ts";
import { changedKeys, Reloader } from "../../../src/app/reload.ts";
import type { HostSettings } from "../../../src/host/plugin-host.ts";
import { Fault } from "../../../src/kernel/fault.ts";
import { recordingLog } from "../../support/recording-log.ts";

function setUp(before: string) {
  const log = recordingLog();
  const applied: HostSettings[] = [];
  let text = before;
  const reloader = new Reloader(
    {
      log,
      host: {
        apply: async (settings) => {
          applied.push(settings);
          return { added: ["rsk"], removed: [], changed: [] };
        },
      },
      load: () => ({ config: parseConfig(text, "config.toml"), file: "/etc/config.toml", folder: "/etc" }),
    },
    parseConfig(before, "config.toml"),
  );
  return {
    reloader,
    log,
    applied,
    write: (next: string) => {
      text = next;
    },
  };
}

describe("reading the configuration again", () => {
  test("chains are taken over at once, other keys that changed are named until the next start", async () => {
    const { reloader, write, log, applied } = setUp("");
    write(
      '[stratum_v2]\nlisten_addr = "0.0.0.0:1"\nsecondary_chains = ["rsk"]\n[chains.rsk]\nx = 1\n[limits]\nchannels = 5\n',
    );
    for (let i = 0; i < 2; i++) {
      expect(await reloader.reload()).toEqual({
        added: ["rsk"],
        removed: [],
        changed: [],
        needRestart: ["stratum_v2.listen_addr", "limits.channels"],
      });
    }
    expect(applied[0]).toMatchObject({ folder: "/etc", chains: [{ name: "rsk", table: { x: 1 } }] });
    expect(log.lines.map(({ message }) => message).slice(0, 2)).toEqual([
      "configuration read again: added rsk",
      "these keys changed and take a restart: stratum_v2.listen_addr, limits.channels",
    ]);
  });

  test("chains go on or rest with the pools that are connected, not with those that a restart would bring", async () => {
    const chain = "[chains.rsk]\nx = 1\n";
    const pool = '[upstream]\nuser = "a"\n[[pools]]\nurl = "tcp://a:1"\n';
    const alone = setUp(chain);
    alone.write(chain + pool);
    expect((await alone.reloader.reload()).needRestart).toEqual(["pools", "upstream.user"]);
    expect(alone.applied[0]).toMatchObject({ chains: [{ name: "rsk", enabled: true }] });
    const pooled = setUp(chain + pool);
    pooled.write(chain);
    await pooled.reloader.reload();
    expect(pooled.applied[0]).toMatchObject({ chains: [{ name: "rsk", enabled: false }] });
  });

  test("a file with a mistake changes nothing, and is told as an error", async () => {
    const { reloader, write, log, applied } = setUp("");
    write("[stratum_v2\n");
    await expect(reloader.reload()).rejects.toMatchObject({ code: "config-not-toml" });
    expect(applied).toEqual([]);
    expect(log.lines).toMatchObject([
      { level: "error", message: expect.stringContaining("everything goes on as before") },
    ]);
  });

  test("without a file there is nothing to read", async () => {
    const reloader = new Reloader(
      { log: recordingLog(), host: { apply: () => Promise.reject(new Error("never")) }, load: undefined },
      parseConfig("", "config.toml"),
    );
    await expect(reloader.reload()).rejects.toBeInstanceOf(Fault);
    await expect(reloader.reload()).rejects.toThrow(/so there is none to read again/);
  });

  test("keys are compared by value, down to lists", () => {
    expect(changedKeys({ a: { b: [1], c: 2 }, d: 1 }, { a: { b: [1, 2], c: 2 }, e: 1 })).toEqual(["a.b", "e", "d"]);
    expect(changedKeys({ a: [{ x: 1 }] }, { a: [{ x: 1 }] })).toEqual([]);
  });
});
