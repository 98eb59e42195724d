import { describe, expect, onTestFinished, test, vi } from "vitest";
import { catchLooseEnds, ownerOf } from "../../../src/app/loose-ends.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { recordingLog } from "../../support/recording-log.ts";

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
    [
      "a call of the SDK whose promise was forgotten, through everybody's tools",
      [
        "connectionFault (file:///opt/pool/dist/src/daemon/rpc-failure.js:45:16)",
        "async #ask (file:///opt/pool/dist/src/sdk/daemons.js:81:31)",
        "async withSignals (file:///opt/pool/dist/src/kernel/abort.js:25:16)",
        "async Daemons.call (file:///opt/pool/dist/src/sdk/daemons.js:66:17)",
      ],
      { kind: "unknown" },
    ],
    [
      "the core, called by the SDK",
      ["f (file:///opt/pool/dist/src/bitcoin/target.js:1:1)", "g (file:///opt/pool/dist/src/sdk/auxpow/driver.js:1:1)"],
      { kind: "unknown" },
    ],
    ["everybody's tools alone", ["f (file:///opt/pool/dist/src/kernel/clock.js:1:1)"], { kind: "unknown" }],
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

describe("errors that nothing handled", () => {
  function caught(folders: ReadonlyMap<string, readonly string[]>) {
    const log = recordingLog();
    const clock = new FakeClock();
    const exit = vi.spyOn(process, "exit").mockReturnValue(undefined as never);
    const others = process.listeners("uncaughtException");
    const blamed: string[] = [];
    const host = { codeFolders: () => folders, blame: (chain: string) => void blamed.push(chain) };
    const release = catchLooseEnds({ log, clock, host });
    const [mine] = process.listeners("uncaughtException").filter((each) => !others.includes(each));
    onTestFinished(() => {
      release();
      exit.mockRestore();
    });
    return { log, clock, exit, blamed, raise: (thrown: unknown) => mine?.(thrown as Error, "uncaughtException") };
  }

  test("end the process when they are ours, and where no plugin ever ran", () => {
    const { exit, raise } = caught(new Map());
    raise(error("TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)"));
    expect(exit).toHaveBeenCalledTimes(1);
  });

  test("are laid at a plugin's door by its frames, and nobody's end nothing", () => {
    const { exit, raise, blamed, log } = caught(FOLDERS);
    raise(error("f (/etc/my plugins/mine/lib/x.cjs:1:1)"));
    expect(blamed).toEqual(["mine", "mine2"]);
    for (const thrown of [undefined, null, "oops", Object.create(null), Symbol("oops")]) raise(thrown);
    expect(log.lines).toHaveLength(5);
    expect(exit).not.toHaveBeenCalled();
  });

  test("fill no log, however many they are", () => {
    const { raise, log } = caught(FOLDERS);
    for (let i = 0; i < 10_000; i++) raise(error());
    expect(log.lines).toHaveLength(201);
  });
});
