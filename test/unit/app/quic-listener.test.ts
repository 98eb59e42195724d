/** What the configuration says of the QUIC listener. */
import { expect, test } from "vitest";
import { parseConfig } from "../../../src/app/config/load.ts";
import { quicOf } from "../../../src/app/listener-settings.ts";
import { settingsOf } from "../../../src/app/settings.ts";
import { describe as inWords } from "../../../src/kernel/fault.ts";

const REST =
  '[bitcoin]\npayout = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"\n[[bitcoind]]\nurl = "http://127.0.0.1:8332"\ncookie_file = "c"\n';

function settings(quic: string): ReturnType<typeof settingsOf> {
  return settingsOf({ config: parseConfig(`${REST}${quic}`, "config.toml"), file: "config.toml", folder: "/etc/pool" });
}

test("without an address there is no QUIC listener; with one alone the defaults hold", () => {
  expect(quicOf(settings(""))).toBeUndefined();
  expect(quicOf(settings("[quic]\nnoise = false\n"))).toBeUndefined();
  expect(quicOf(settings('[quic]\nlisten_addr = "[::]:3344"\n'))).toEqual({
    listen: { host: "::", port: 3344 },
    noise: true,
    streamsPerConnection: 1000,
    idleTimeoutMs: 60_000,
    keepAliveMs: 20_000,
  });
});

test("keep-alives that come later than the end of a silent connection are refused", () => {
  const quic = '[quic]\nlisten_addr = "0.0.0.0:1"\nidle_timeout_s = 20\nkeep_alive_s = 20\n';
  try {
    settings(quic);
    expect.unreachable();
  } catch (fault) {
    expect(fault).toMatchObject({ code: "config-invalid", data: { key: "quic.keep_alive_s" } });
    expect(inWords(fault)).toContain("less than idle_timeout_s");
  }
});
