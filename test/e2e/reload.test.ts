/** SIGHUP and `reload`: the configuration changes while miners mine. */
import { appendFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { chainServer } from "../support/chain-server.ts";
import { steadily } from "../support/steady-miner.ts";
import { until } from "../support/until.ts";

test("SIGHUP adds, changes and removes chains; others are not touched and no share is lost", async () => {
  const running = await chainServer({
    plugins: ["fake", "other"],
    chains: '[chains.steady]\nplugin = "fake"\nchain_id = 1\n[chains.changing]\nplugin = "fake"\nchain_id = 2\n',
  });
  const { folder, server } = running;
  const { accepted } = await steadily(await running.miner(), async () => {
    await running.until("changing", ({ mining }) => mining?.work?.parent === "a");
    const before = await running.chain("steady");
    folder.write(
      '[chains.steady]\nplugin = "fake"\nchain_id = 1\n[chains.changing]\nplugin = "fake"\nchain_id = 2\ntip = "b"\n[chains.other]\nchain_id = 3\n',
    );
    server.kill("SIGHUP");
    await until("it was read", () =>
      running.log().some(({ msg }) => msg === "configuration read again: added other; changed changing"),
    );
    await running.until("changing", ({ mining }) => mining?.work?.parent === "b" && mining.inJob);
    await running.until("other", ({ mining }) => mining?.inJob === true);
    folder.write('[chains.steady]\nplugin = "fake"\nchain_id = 1\n', 'secondary_chains = ["steady"]');
    server.kill("SIGHUP");
    await until("it was read again", () =>
      running.log().some(({ msg }) => msg === "configuration read again: removed changing, other"),
    );
    expect(await running.chain("steady")).toMatchObject({
      state: "running",
      sinceMs: (before as { sinceMs?: number }).sinceMs,
    });
    const { body } = await running.ask<{ name: string }[]>("GET", "/v1/chains");
    expect(body.map(({ name }) => name)).toEqual(["steady"]);
  });
  expect(accepted).toBeGreaterThanOrEqual(5);
  expect(await running.stop()).toBe(0);
});

test("a file that is gone, or half written when the signal comes, changes nothing", async () => {
  const running = await chainServer({ chains: "[chains.fake]\n" });
  const { folder, server } = running;
  await running.until("fake", ({ state }) => state === "running");
  const whole = readFileSync(folder.config, "utf8");
  const refusals = () => running.log().filter(({ msg }) => msg.includes("everything goes on as before")).length;
  // An editor empties a file before it writes: nothing, and the first lines, are valid TOML.
  for (const [i, text] of ["", whole.slice(0, whole.indexOf("[bitcoin]")), undefined].entries()) {
    if (text === undefined) rmSync(folder.config);
    else writeFileSync(folder.config, text);
    server.kill("SIGHUP");
    await until("it was refused", () => refusals() === i + 1);
    expect(await running.chain("fake")).toMatchObject({ state: "running", restarts: 0 });
  }
  expect(await running.stop()).toBe(0);
});

test("SIGHUP while the server stops opens nothing", async () => {
  const running = await chainServer({ chains: '[chains.fake]\nbehave = "hang-in-stop"\n' });
  await running.until("fake", ({ state }) => state === "running");
  running.folder.write('[chains.fake]\nbehave = "refuse"\n');
  running.server.kill("SIGTERM");
  await until("it stops", () => running.log().some(({ msg }) => msg.startsWith("stopping")));
  for (let i = 0; i < 3; i++) running.server.kill("SIGHUP");
  expect(await running.server.ended).toBe(0);
  expect(running.log().filter(({ msg }) => /address of another network|configuration/.test(msg))).toEqual([]);
});

test("a file with a mistake changes nothing: the error is logged, everything goes on", async () => {
  const running = await chainServer({ chains: "[chains.fake]\n" });
  const { folder, server } = running;
  await running.until("fake", ({ state }) => state === "running");
  await steadily(await running.miner(), async () => {
    for (const [text, says] of [
      ["[chains.fake]\ntipp = 5\n", /chains\.fake\.tipp: unknown key; did you mean "tip"/],
      ["[chains.fake\n", /not valid TOML/],
      ['[chains.fake]\nbehave = "refuse"\n', /address of another network/],
    ] as const) {
      folder.write(text);
      server.kill("SIGHUP");
      await until("it was told", () => running.log().some(({ level, msg }) => level === 50 && says.test(msg)));
      expect((await running.chain("fake")).state).toBe("running");
    }
    const refused = folder.run("reload");
    // The command reads the same file to find the socket; with a broken table it still can.
    expect(await refused.ended).toBe(1);
    expect(refused.err.join("\n")).toContain("address of another network");
  });
  writeFileSync(folder.config, "nonsense = 1\n");
  expect(await running.stop()).toBe(0);
});

test("keys that take a restart are named, by the log and by the command", async () => {
  const running = await chainServer({ chains: "[chains.fake]\n" });
  appendFileSync(running.folder.config, "[limits]\nchannels = 5\n");
  const reload = running.folder.run("reload");
  expect(await reload.ended, reload.err.join("\n")).toBe(0);
  expect(reload.out).toEqual(["no chain changed", "these keys changed and take a restart: limits.channels"]);
  expect(running.log().some(({ level, msg }) => level === 40 && msg.includes("limits.channels"))).toBe(true);
  expect(await running.stop()).toBe(0);
});
