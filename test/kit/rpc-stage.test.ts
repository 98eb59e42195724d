import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { systemClock } from "../../src/app/system.ts";
import { diskFiles } from "../../src/daemon/files.ts";
import { nodeHttpPost } from "../../src/daemon/http.ts";
import { RpcClient } from "../../src/daemon/rpc.ts";
import { RpcRefusal, RpcStage } from "../../src/kit/rpc-stage.ts";

const LOGIN = { user: "u", password: "p" };
const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const each of open.splice(0)) await each.close();
});

async function daemon(login = LOGIN) {
  const stage = await RpcStage.open(
    {
      echo: (params) => params,
      refuse: () => {
        throw new RpcRefusal(-8, "block hash unknown");
      },
    },
    { login: LOGIN },
  );
  const client = new RpcClient(
    { clock: systemClock, files: diskFiles, http: nodeHttpPost },
    { url: stage.url, credentials: { kind: "password", ...login }, timeoutMs: 300 },
  );
  open.push(client, stage);
  const call = (method: string, params: readonly unknown[] = []) => client.call(method, params, z.unknown());
  return { stage, call };
}

describe("a pretend JSON-RPC daemon", () => {
  test("answers by its table as a real client expects it, and remembers the calls", async () => {
    const { stage, call } = await daemon();
    expect(await call("echo", [1, "two"])).toEqual([1, "two"]);
    await expect(call("refuse")).rejects.toMatchObject({
      code: "node-rpc-error",
      data: { rpcCode: -8, says: "block hash unknown" },
    });
    await expect(call("other")).rejects.toMatchObject({ code: "node-method-unknown" });
    expect(stage.calls.map(({ method }) => method)).toEqual(["echo", "refuse", "other"]);
  });

  test("wants its password", async () => {
    const { call } = await daemon({ user: "u", password: "wrong" });
    await expect(call("echo")).rejects.toMatchObject({ code: "node-unauthorized" });
  });

  test("hangs, talks nonsense of five kinds, and comes to its senses, method by method", async () => {
    const { stage, call } = await daemon();
    stage.treat(["echo"], "hang");
    await expect(call("echo")).rejects.toMatchObject({ code: "node-timeout" });
    await expect(call("refuse")).rejects.toMatchObject({ code: "node-rpc-error" });
    stage.treat(["echo"], "garbage");
    for (let i = 0; i < 8; i++) {
      if (i % 2 === 0) expect(await call("echo")).toEqual({ nonsense: [null] });
      else await expect(call("echo")).rejects.toThrow(/node|answer|page|JSON/);
    }
    stage.treat(["echo"], "serve");
    expect(await call("echo", [3])).toEqual([3]);
  });

  test("goes down, cutting its connections, and comes back at the same address", async () => {
    const { stage, call } = await daemon();
    const { url } = stage;
    await call("echo");
    expect(stage.connections).toBe(1);
    await stage.down();
    expect(stage.connections).toBe(0);
    await expect(call("echo")).rejects.toMatchObject({ code: "node-refused" });
    await stage.up();
    expect(stage.url).toBe(url);
    expect(await call("echo", [4])).toEqual([4]);
  });

  test("says when another program took its port meanwhile", async () => {
    const { stage } = await daemon();
    const port = Number(new URL(stage.url).port);
    await stage.down();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(port, "127.0.0.1", resolve));
    await expect(stage.up()).rejects.toMatchObject({ code: "kit-port-taken" });
    await new Promise((resolve) => other.close(resolve));
    await stage.up();
  });
});
