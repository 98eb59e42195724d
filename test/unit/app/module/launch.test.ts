/** How a node started us; what nodes set was read in blvm-node `src/module/process/spawner.rs` at bf7a7de (arguments) and 7d6dd52 (variables). */
import { describe, expect, test } from "vitest";
import { detectLaunch, withSocket } from "../../../../src/app/module/launch.ts";
import { Fault } from "../../../../src/kernel/fault.ts";

const cwd = "/var/lib/blvm";
const ID = `bllvm-stratum-v2_${"a".repeat(32)}`;

function faultOf(run: () => unknown): Fault {
  try {
    run();
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("detectLaunch", () => {
  test("spawned: variables, relative to the node's folder; the first connect waits for the node's own", () => {
    const env = {
      MODULE_NAME: "bllvm-stratum-v2",
      MODULE_ID: ID,
      SOCKET_PATH: "data/modules/sockets/node.sock",
      DATA_DIR: "data/modules/bllvm-stratum-v2",
      BLLVM_MODULE_FOLDER: "/var/lib/blvm/modules/bllvm-stratum-v2",
    };
    expect(detectLaunch({ argv: [], env, cwd })).toEqual({
      mode: "spawned",
      socketPath: "/var/lib/blvm/data/modules/sockets/node.sock",
      listenPath: undefined,
      dataDir: "/var/lib/blvm/data/modules/bllvm-stratum-v2",
      moduleFolder: "/var/lib/blvm/modules/bllvm-stratum-v2",
      moduleName: "bllvm-stratum-v2",
      moduleId: ID,
      configFile: undefined,
      holdFile: undefined,
      connectDelayMs: 1500,
    });
  });

  test("legacy: arguments name the socket that we make; the node's own is where old nodes have it", () => {
    const argv = ["--module-id", ID, "--socket-path", "run/m.sock", "--data-dir", "data/modules/bllvm-stratum-v2"];
    expect(detectLaunch({ argv, env: { MODULE_NAME: "bllvm-stratum-v2" }, cwd })).toMatchObject({
      mode: "legacy",
      listenPath: "/var/lib/blvm/run/m.sock",
      socketPath: "/var/lib/blvm/data/modules/socket",
      dataDir: "/var/lib/blvm/data/modules/bllvm-stratum-v2",
      moduleId: ID,
      connectDelayMs: 0,
    });
    expect(detectLaunch({ argv, env: { MODULE_SOCKET_DIR: "/run/blvm/api" }, cwd }).socketPath).toBe("/run/blvm/api");
  });

  test("arguments win over variables that a newer parent left in the environment", () => {
    const argv = [`--module-id=${ID}`, "--socket-path=/m.sock", "--data-dir=/d"];
    const env = { MODULE_ID: ID, SOCKET_PATH: "/node.sock", DATA_DIR: "/other" };
    expect(detectLaunch({ argv, env, cwd })).toMatchObject({
      mode: "legacy",
      dataDir: "/d",
      socketPath: "/var/lib/blvm/data/modules/socket",
    });
  });

  test("attached: a socket and no id; with a data folder it looks for a stand-in's hold file", () => {
    const attached = detectLaunch({ argv: [], env: { SOCKET_PATH: "node.sock" }, cwd });
    expect(attached).toMatchObject({ mode: "attached", socketPath: "/var/lib/blvm/node.sock", dataDir: undefined });
    expect(attached.holdFile).toBeUndefined();
    const words = ["--socket", "/s", "--data-dir", "data", "--config", "c.toml"];
    expect(detectLaunch({ argv: words, env: { SOCKET_PATH: "/other" }, cwd })).toMatchObject({
      socketPath: "/s",
      holdFile: "/var/lib/blvm/data/ipc.hold",
      configFile: "/var/lib/blvm/c.toml",
      connectDelayMs: 0,
    });
  });

  test("a name of the operator's own is what handshakes say", () => {
    expect(detectLaunch({ argv: [], env: { MODULE_NAME: "second-pool" }, cwd }).moduleName).toBe("second-pool");
    expect(detectLaunch({ argv: [], env: { MODULE_NAME: "" }, cwd }).moduleName).toBe("bllvm-stratum-v2");
  });

  test.each([
    [["--module-id", "m"], {}],
    [["--socket-path", "/s", "--data-dir", "/d"], {}],
    [["--nonsense"], {}],
    [["stray"], {}],
    [[], { MODULE_ID: ID, SOCKET_PATH: "/s" }],
  ])("%j %j makes no sense", (argv, env) => {
    expect(faultOf(() => detectLaunch({ argv, env, cwd })).code).toBe("bllvm-launch");
  });
});

describe("withSocket", () => {
  const attached = detectLaunch({ argv: [], env: {}, cwd });

  test("asks the configuration last, from its own folder", () => {
    expect(withSocket(attached, "run/node.sock", "/etc/bllvm").socketPath).toBe("/etc/bllvm/run/node.sock");
    const named = detectLaunch({ argv: ["--socket", "/s"], env: {}, cwd });
    expect(withSocket(named, "/other", "/").socketPath).toBe("/s");
  });

  test("nothing that names it is the operator's to mend", () => {
    expect(faultOf(() => withSocket(attached, undefined, "/")).code).toBe("bllvm-socket-unknown");
  });
});
