/** The control API and the commands that speak to it. */

import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { diskFiles } from "../../src/daemon/files.ts";
import { ControlServer } from "../../src/host/control-server.ts";
import { askSocket, ChainFolder, chainServer } from "../support/chain-server.ts";
import { program } from "../support/program.ts";
import { recordingLog } from "../support/recording-log.ts";
import { steadily } from "../support/steady-miner.ts";
import { pause, until } from "../support/until.ts";

const never = new AbortController().signal;
const TOKEN = "0123456789abcdef0123456789abcdef";

/** The server of the API alone, on a port with a token. */
async function tcpControl(folder: ChainFolder, token = `${TOKEN}\n`) {
  const tokenFile = join(folder.path, "token");
  writeFileSync(tokenFile, token);
  const log = recordingLog();
  const refuse = async () => {
    throw new Error("not in this test");
  };
  const server = new ControlServer(
    {
      log,
      files: diskFiles,
      port: {
        status: () => ({ big: 12345678901234567890n, endless: Number.POSITIVE_INFINITY }),
        chains: () => [],
        plugins: refuse,
        enable: refuse,
        disable: refuse,
        restart: refuse,
        reload: refuse,
        report: refuse,
        payoutAddresses: refuse,
        setPayoutAddress: refuse,
        removePayoutAddress: refuse,
      },
    },
    { kind: "tcp", address: { host: "127.0.0.1", port: 0 }, tokenFile },
  );
  await server.start(never);
  return { server, log, address: server.address ?? "" };
}

describe("the socket's place", () => {
  async function socketAt(path: string) {
    const log = recordingLog();
    const never = async () => {
      throw new Error("not in this test");
    };
    const port = { status: never, chains: () => [], plugins: never, enable: never, disable: never, restart: never };
    const control = new ControlServer(
      {
        log,
        files: diskFiles,
        port: {
          ...port,
          reload: never,
          report: never,
          payoutAddresses: never,
          setPayoutAddress: never,
          removePayoutAddress: never,
        },
      },
      { kind: "socket", path },
    );
    await control.start(new AbortController().signal);
    onTestFinished(() => control.stop());
    return { control, log };
  }

  test("a file of another kind is left alone, and mining goes on without the API", async () => {
    const { path } = new ChainFolder([]);
    const at = join(path, "control.sock");
    writeFileSync(at, "somebody's");
    const { control, log } = await socketAt(at);
    expect(control.address).toBeUndefined();
    expect(readFileSync(at, "utf8")).toBe("somebody's");
    expect(log.lines).toMatchObject([{ level: "error", message: expect.stringContaining("not a socket") }]);
  });

  test.each([
    ["too long", (path: string) => join(path, "x".repeat(100), "control.sock")],
    ["below a file", (path: string) => join(path, "config.toml", "control.sock")],
  ])("one that is %s is told, and mining goes on without the API", async (_, place) => {
    const folder = new ChainFolder([]);
    folder.write();
    const { control, log } = await socketAt(place(folder.path));
    expect(control.address).toBeUndefined();
    expect(log.lines).toMatchObject([
      { level: "error", message: expect.stringContaining("Mining goes on without it") },
    ]);
  });
});

describe("the control socket", () => {
  test("is open to this user alone, answers with snapshots, and is gone after the stop", async () => {
    const running = await chainServer({ chains: '[chains.fake]\nbehave = "trouble"\npassword = "hush-hush"\n' });
    const socket = join(running.folder.path, "data/control.sock");
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    await running.until("fake", ({ mining }) => mining?.inJob === true);
    const chains = await running.ask("GET", "/v1/chains");
    expect(chains).toMatchObject({
      status: 200,
      body: [
        { name: "fake", plugin: "fake", version: "1.0.0", state: "running", trouble: "the daemon is synchronising" },
      ],
    });
    const status = await running.ask("GET", "/v1/status");
    expect(status.body).toMatchObject({
      connections: 0,
      job: { chains: ["fake"] },
      chains: [{ name: "fake", mining: { inJob: true, found: 0, work: { height: 5 } } }],
    });
    const plugins = await running.ask<{ name: string }[]>("GET", "/v1/plugins");
    expect(plugins.body.find(({ name }) => name === "fake")).toMatchObject({ origin: "plugins_dir", chains: ["fake"] });
    expect(JSON.stringify([chains, status, plugins]) + running.server.err.join("")).not.toContain("hush-hush");
    expect(await running.stop()).toBe(0);
    expect(existsSync(socket)).toBe(false);
  });

  test("payout addresses are registered, replaced, listed and removed; what cannot be one is told", async () => {
    const running = await chainServer({ chains: "[chains.fake]\n" });
    const socket = join(running.folder.path, "data/control.sock");
    const path = "/v1/chains/fake/payout-addresses";
    const put = (body: unknown, at = path) =>
      askSocket(socket, "PUT", at, { body: typeof body === "string" ? body : JSON.stringify(body) });
    expect(await running.ask("GET", path)).toEqual({ status: 200, body: { addresses: [], next: null } });
    const entry = { payee: "farm", address: "FakeAddress1", least: "0.05000000" };
    expect(await put({ ...entry, least: "0.05" })).toEqual({ status: 200, body: entry });
    expect(await put({ payee: "operator", address: "FakeAddress2" })).toMatchObject({
      status: 200,
      body: { least: null },
    });
    expect(await put({ payee: "farm", address: "FakeAddress3" })).toMatchObject({ status: 200 });
    expect(await running.ask("GET", path)).toEqual({
      status: 200,
      body: {
        addresses: [
          { payee: "farm", address: "FakeAddress3", least: null },
          { payee: "operator", address: "FakeAddress2", least: null },
        ],
        next: null,
      },
    });
    expect(await running.ask("GET", `${path}?after=farm`)).toMatchObject({
      body: { addresses: [{ payee: "operator" }] },
    });

    const code = (error: string) => ({ status: 400, body: { error: { code: error } } });
    expect(await put({ payee: "farm", address: "no address" })).toMatchObject(code("payout-address"));
    expect(await put({ payee: "", address: "FakeAddress1" })).toMatchObject(code("payout-payee"));
    expect(await put({ ...entry, least: "0.000000001" })).toMatchObject(code("payout-amount"));
    expect(await put({ ...entry, more: 1 })).toMatchObject(code("control-body"));
    expect(await put("{")).toMatchObject(code("control-body"));
    expect(await put({ ...entry, address: "x".repeat(4096) })).toMatchObject({ status: 413 });
    expect(
      await put({ payee: "a", address: "2NEmfdVJYw2ffphvUpjv3Bkw1wA9w8Gn9ov" }, "/v1/chains/bitcoin/payout-addresses"),
    ).toMatchObject(code("payout-address"));
    expect(await put(entry, "/v1/chains/nmc/payout-addresses")).toMatchObject({
      status: 404,
      body: { error: { code: "chain-unknown" } },
    });
    expect(await askSocket(socket, "DELETE", path)).toMatchObject(code("control-body"));
    expect(await askSocket(socket, "DELETE", `${path}?payee=farm`)).toEqual({ status: 200, body: { removed: true } });
    expect(await askSocket(socket, "DELETE", `${path}?payee=farm`)).toEqual({ status: 200, body: { removed: false } });

    // The command sees what was registered through the server, and the server what the command registers, while it runs.
    const words = ["-c", "config.toml", "--chain", "fake", "--json"];
    const command = async (...args: string[]) => {
      const running = program(["payout-address", ...args, ...words], { cwd: folder });
      return { code: await running.ended, out: running.out, err: running.err };
    };
    const folder = running.folder.path;
    expect(await command("set", "farm", "FakeAddress4", "--least", "1")).toMatchObject({ code: 0, err: [] });
    expect((await command("list")).out.map((line) => JSON.parse(line).address)).toEqual([
      "FakeAddress4",
      "FakeAddress2",
    ]);
    expect(await running.ask("GET", path)).toMatchObject({
      body: { addresses: [{ address: "FakeAddress4", least: "1.00000000" }, {}] },
    });
    expect(await command("remove", "farm")).toMatchObject({ code: 0 });
    expect(await command("remove", "farm")).toMatchObject({ code: 1 });
    await running.stop();
  });

  test("unknown requests and chains are told as such", async () => {
    const running = await chainServer();
    expect(await running.ask("GET", "/v2/chains")).toMatchObject({
      status: 404,
      body: { error: { code: "control-request" } },
    });
    expect(await running.ask("POST", "/v1/chains/nmc/enable")).toMatchObject({
      status: 404,
      body: { error: { code: "chain-unknown", message: expect.stringContaining("chain nmc") } },
    });
    expect(await running.stop()).toBe(0);
  });

  test("a second server on the same data folder is refused its ledger; with another one it goes on without the API; a dead socket is replaced", async () => {
    const running = await chainServer();
    const refused = running.folder.run("start", "--json");
    expect(await refused.ended).toBe(1);
    expect(refused.err.join("\n")).toMatch(
      /another server has this ledger open[\s\S]*what to do: .*a data_dir of its own/,
    );
    running.folder.write('[ledger]\ndatabase = "other.sqlite"\n');
    const second = running.folder.run("start", "--json");
    await second.line((line) => line.includes('"listening"'));
    await until("it says so", () =>
      second.err.some((line) => /the control API cannot listen.*another server listens there/.test(line)),
    );
    second.kill("SIGTERM");
    expect(await second.ended).toBe(0);
    expect((await running.ask("GET", "/v1/chains")).status).toBe(200);
    running.server.kill("SIGKILL");
    await running.server.ended;
    expect(existsSync(join(running.folder.path, "data/control.sock"))).toBe(true);
    const third = running.folder.run("start", "--json");
    await third.line((line) => line.includes('"listening"'));
    expect((await running.ask("GET", "/v1/chains")).status).toBe(200);
    third.kill("SIGTERM");
    expect(await third.ended).toBe(0);
  });
});

describe("the control port", () => {
  test("asks for its token, and takes no other", async () => {
    const { server, address } = await tcpControl(new ChainFolder([]));
    const as = (authorization: string | undefined) =>
      askSocket(address, "GET", "/v1/status", { headers: authorization === undefined ? {} : { authorization } });
    expect(await as(`Bearer ${TOKEN}`)).toMatchObject({
      status: 200,
      body: { big: "12345678901234567890", endless: null },
    });
    for (const wrong of [undefined, "Bearer", `Bearer ${TOKEN}x`, `Basic ${TOKEN}`, "Bearer "]) {
      expect((await as(wrong)).status, wrong).toBe(401);
    }
    await server.stop();
  });

  test.each(["", "short\n", "a blank in the middle of it\n"])("the token %j is none", async (token) => {
    await expect(tcpControl(new ChainFolder([]), token)).rejects.toMatchObject({ code: "control-token" });
  });

  test("a failure inside is told without its stack, and logged", async () => {
    const { server, address, log } = await tcpControl(new ChainFolder([]));
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await askSocket(address, "GET", "/v1/plugins", { headers });
    expect(answer).toEqual({ status: 500, body: { error: { message: "not in this test" } } });
    expect(log.lines.at(-1)).toMatchObject({
      level: "error",
      message: "a request to the control API failed: not in this test",
    });
    await server.stop();
  });

  test("who has no token is not answered twice on one connection, and who hangs up is no fault of ours", async () => {
    const { server, address, log } = await tcpControl(new ChainFolder([]));
    const port = Number(address.split(":")[1]);
    const said = async (text: string): Promise<string> => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      let heard = "";
      socket.setEncoding("utf8").on("data", (part: string) => {
        heard += part;
      });
      socket.write(text);
      await Promise.race([once(socket, "close"), pause(2000)]);
      socket.destroy();
      return heard;
    };
    const stranger = await said("GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n".repeat(100));
    expect(stranger.match(/HTTP\/1\.1 401/g)).toHaveLength(1);
    expect(stranger).toMatch(/connection: close/i);
    const halfway = connect(port, "127.0.0.1");
    halfway.write(
      `POST /v1/reload HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\nContent-Length: 9\r\n\r\nx`,
    );
    await pause(100);
    halfway.destroy();
    await pause(100);
    expect(log.lines.filter(({ level }) => level === "error")).toEqual([]);
    await server.stop();
  });

  test("at its bounds: bodies, connections and slow requests", async () => {
    const { server, address } = await tcpControl(new ChainFolder([]));
    const headers = { authorization: `Bearer ${TOKEN}` };
    const ask = (body: string) => askSocket(address, "POST", "/v1/reload", { headers, body });
    expect((await ask("x".repeat(4096))).status).toBe(500);
    expect((await ask("x".repeat(4097))).status).toBe(413);

    const port = Number(address.split(":")[1]);
    let closed = 0;
    const sockets = Array.from({ length: 20 }, () => {
      const socket = connect(port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("close", () => {
        closed += 1;
      });
      socket.resume();
      // Never ends its request.
      socket.write("GET /v1/status HTTP/1.1\r\nx: ");
      return socket;
    });
    await until("those beyond 16 are closed", () => closed >= 4);
    await until("the rest after their time", () => closed === 20, 15_000);
    for (const socket of sockets) socket.destroy();
    expect((await askSocket(address, "GET", "/v1/status", { headers })).status).toBe(200);
    await server.stop();
  });
});

describe("commands", () => {
  test("chains are disabled, enabled and restarted while a miner mines, and no miner is dropped", async () => {
    const running = await chainServer({
      plugins: ["fake", "other"],
      chains: "[chains.fake]\n[chains.other]\nchain_id = 1\n",
    });
    const command = async (...words: string[]): Promise<string> => {
      const run = running.folder.run(...words);
      expect(await run.ended, run.err.join("\n")).toBe(0);
      return run.out.join("\n");
    };
    const miner = await running.miner();
    await steadily(miner, async () => {
      await running.until("fake", ({ mining }) => mining?.inJob === true);
      expect(await command("chain", "list")).toMatch(/fake {2}running {2}height 5, in the job/);
      expect(await command("chain", "disable", "fake")).toMatch(/fake: disabled\n.*until the server starts anew/);
      expect(JSON.parse(await command("chain", "list", "--json"))).toMatchObject([
        { name: "fake", state: "disabled" },
        { name: "other", state: "running" },
      ]);
      expect(await command("plugin", "list")).toMatch(/chain fake: disabled/);
      await command("chain", "enable", "fake", "--json");
      await running.until("fake", ({ mining }) => mining?.inJob === true);
      await command("chain", "restart", "fake");
      await running.until("fake", ({ state }) => state === "running");
    });
    expect((await running.chain("other")).restarts).toBe(0);
    const unknown = running.folder.run("chain", "enable", "nmc");
    expect(await unknown.ended).toBe(1);
    expect(unknown.err.join("\n")).toContain("the running server refused the request");
    expect(unknown.err.join("\n")).toContain("no chain of that name is configured (chain nmc, configured fake, other)");
    expect(await running.stop()).toBe(0);
  });

  test("they speak to a port with the token of the configuration, and a wrong one is refused", async () => {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const { port } = probe.address() as AddressInfo;
    probe.close();
    const folder = new ChainFolder();
    folder.write(`[chains.fake]\nenabled = false\n[control]\nlisten = "127.0.0.1:${port}"\ntoken_file = "token"\n`);
    const token = join(folder.path, "token");
    writeFileSync(token, `${TOKEN}\n`);
    const server = folder.run("start", "--devnet", "--json");
    await server.line((line) => line.includes('"listening"'));
    const list = folder.run("chain", "list");
    expect(await list.ended, list.err.join("\n")).toBe(0);
    expect(list.out.join("\n")).toMatch(/^fake {2}disabled$/m);
    writeFileSync(token, `${TOKEN.toUpperCase()}\n`);
    const refused = folder.run("chain", "list");
    expect(await refused.ended).toBe(1);
    expect(refused.err.join("\n")).toContain("the token is missing or wrong");
    server.kill("SIGTERM");
    expect(await server.ended).toBe(0);
    const output = [server, list, refused].flatMap(({ out, err }) => [...out, ...err]).join("\n");
    expect(output.toLowerCase()).not.toContain(TOKEN);
  });

  test("without a server they say that none answers, where, and what to do", async () => {
    const folder = new ChainFolder();
    folder.write();
    const list = folder.run("chain", "list");
    expect(await list.ended).toBe(1);
    expect(list.err.join("\n")).toMatch(/no running server answers on the control API \(at .*control\.sock\)/);
    expect(list.err.join("\n")).toContain("what to do: Start the server");
  });

  test("plugin list names a folder that cannot be used, and why", async () => {
    const folder = new ChainFolder();
    folder.plugin("future", { manifest: { "bllvm-stratum-v2": { plugin: "future", api: 9 } } });
    folder.write("[chains.fake]\n[chains.gone]\n");
    const list = folder.run("plugin", "list");
    expect(await list.ended).toBe(0);
    const text = list.out.join("\n");
    expect(text).toMatch(/future {2}unusable/);
    expect(text).toContain("another version of the plugin contract");
    expect(text).toContain("writtenFor 9, programHas 1");
    expect(text).toContain("chain fake: enabled");
    expect(text).toContain("chain gone: there is no plugin gone");
  });
});
