import { describe, expect, test } from "vitest";
import { ownerOf } from "../../../src/app/loose-ends.ts";

const OWN = "/opt/pool/dist/src";
const FOLDERS = new Map([
  ["namecoin", ["/opt/pool/plugins/namecoin", "/opt/pool/dist/plugins/namecoin"]],
  ["mine", ["/etc/my plugins/mine", "/etc/my plugins/mine"]],
  ["mine2", ["/etc/my plugins/mine", "/etc/my plugins/mine"]],
]);

function error(...frames: readonly string[]): Error {
  const made = new Error("oops");
  made.stack = ["Error: oops", ...frames.map((frame) => `    at ${frame}`)].join("\n");
  return made;
}

describe("whose an error is that nothing handled", () => {
  test.each<[string, readonly string[], object]>([
    [
      "a plugin's own frame",
      [
        "Timeout._onTimeout (file:///opt/pool/dist/plugins/namecoin/index.js:5:9)",
        "listOnTimeout (node:internal/timers:573:17)",
      ],
      { kind: "plugin", chains: ["namecoin"] },
    ],
    [
      "a plugin below our own code",
      [
        "f (file:///opt/pool/dist/src/bitcoin/script.js:1:1)",
        "async file:///opt/pool/dist/plugins/namecoin/index.js:9:9",
      ],
      { kind: "plugin", chains: ["namecoin"] },
    ],
    [
      "a folder with blanks, as URL and as path, of two chains",
      ["f (file:///etc/my%20plugins/mine/index.js:1:1)"],
      { kind: "plugin", chains: ["mine", "mine2"] },
    ],
    ["a CommonJS file", ["f (/etc/my plugins/mine/lib/x.cjs:1:1)"], { kind: "plugin", chains: ["mine", "mine2"] }],
    ["a neighbour whose name begins alike", ["f (/etc/my plugins/mine-too/x.js:1:1)"], { kind: "unknown" }],
    ["the pool", ["f (file:///opt/pool/dist/src/pool/session.js:1:1)"], { kind: "ours" }],
    ["the SDK, on behalf of a plugin", ["f (file:///opt/pool/dist/src/sdk/daemons.js:1:1)"], { kind: "unknown" }],
    [
      "the Bitcoin node's client, which the SDK uses too",
      [
        "f (file:///opt/pool/dist/src/daemon/rpc.js:1:1)",
        "async g (file:///opt/pool/dist/src/node/bitcoind/submit.js:1:1)",
      ],
      { kind: "ours" },
    ],
    ["Node alone", ["TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)"], { kind: "unknown" }],
  ])("%s", (_, frames, owner) => {
    expect(ownerOf(error(...frames), FOLDERS, OWN)).toEqual(owner);
  });

  test("what is no error has no stack", () => {
    for (const thrown of [undefined, null, "oops", { stack: "at /opt/pool/dist/src/pool/x.js" }]) {
      expect(ownerOf(thrown, FOLDERS, OWN)).toEqual({ kind: "unknown" });
    }
  });
});
