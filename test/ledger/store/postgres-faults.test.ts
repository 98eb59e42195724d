import { createServer, type Socket } from "node:net";
import pg from "pg";
import { describe, expect, inject, onTestFinished, test } from "vitest";
import { describe as inWords } from "../../../src/kernel/fault.ts";
import { connect } from "../../support/ledger-files.ts";
import { type PostgresServer, startPostgres } from "../../support/postgres-server.ts";
import { until } from "../../support/until.ts";

const bin = inject("postgresPrograms");

/** A PostgreSQL of the test's own, over TCP with a password, that may be killed. */
async function ownServer(): Promise<PostgresServer> {
  const server = await startPostgres(bin ?? "", "loopback");
  onTestFinished(() => server.stop());
  return server;
}

/** What speaks PostgreSQL's protocol as far as its greeting and ends each connection at the first statement (57P01), as one that shuts down does. */
async function leavingServer(): Promise<{ readonly url: string; connections(): number }> {
  const message = (type: string, body: Buffer): Buffer => {
    const head = Buffer.alloc(5);
    head.write(type, "latin1");
    head.writeUInt32BE(body.length + 4, 1);
    return Buffer.concat([head, body]);
  };
  const greeting = Buffer.concat([message("R", Buffer.alloc(4)), message("Z", Buffer.from("I"))]);
  const goodbye = message("E", Buffer.from("SFATAL\0VFATAL\0C57P01\0Mterminating connection\0\0"));
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket
      .on("error", () => {})
      .once("data", () => {
        socket.write(greeting);
        socket.once("data", () => socket.end(goodbye));
      });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  return { url: `postgres://ledger:x@127.0.0.1:${port}/ledger`, connections: () => sockets.length };
}

const insert = (n: number) => ({ identity: `${n}`, first_share_ms: n, last_share_ms: n });

test("PostgreSQL that ends each connection at its first statement is tried again and again, said once, and holds up no stop", async () => {
  const server = await leavingServer();
  const { connection, log } = connect({ kind: "postgres", url: server.url });
  await connection.start(new AbortController().signal);
  await until("it was tried again", () => server.connections() >= 3);
  expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-unreachable" } });
  expect(log.lines.map(({ level }) => level)).toEqual(["error"]);
  await connection.stop();
});

describe.runIf(bin !== undefined)("PostgreSQL", () => {
  test("that is killed: said once, what was answered is there after its restart, and it goes on", async () => {
    const server = await ownServer();
    const { connection, log, meter } = connect({ kind: "postgres", url: server.url });
    await connection.start(new AbortController().signal);
    const answered: number[] = [];
    const failed: unknown[] = [];
    let n = 0;
    let writing = true;
    const writer = (async () => {
      while (writing) {
        n += 1;
        const row = insert(n);
        try {
          await connection.transaction((db) => db.insertInto("workers").values(row).execute());
          answered.push(row.first_share_ms);
        } catch (fault) {
          failed.push(fault);
          await new Promise((resolve) => setTimeout(resolve, 10));
        }
      }
    })();
    await until("some are in", () => answered.length > 50);
    await server.kill();
    await until("it is noticed", () => !connection.status().open);
    const before = answered.length;
    await server.restart();
    await until("more are in", () => answered.length > before + 50, 20_000);
    writing = false;
    await writer;
    expect(connection.status()).toMatchObject({ open: true, fault: undefined });
    expect(failed.length).toBeGreaterThan(0);
    for (const fault of failed) expect(fault).toMatchObject({ code: "ledger-unreachable" });
    const rows = await connection.run((db) => db.selectFrom("workers").select("first_share_ms").execute());
    const there = new Set(rows.map(({ first_share_ms }) => first_share_ms));
    expect(answered.filter((number) => !there.has(number))).toEqual([]);
    const said = log.lines.map(({ level, message }) => `${level}: ${message}`);
    expect(said).toHaveLength(3);
    expect(said[0]).toMatch(/^error: PostgreSQL does not answer.*ining goes on/);
    expect(said.slice(1)).toEqual(["info: the ledger is open again", "info: the ledger is written again"]);
    expect(meter.total("ledger_up")).toBe(1);
  });

  test("that goes away between two statements of a transaction fails that transaction, and nothing else", async () => {
    const server = await ownServer();
    const { connection } = connect({ kind: "postgres", url: server.url });
    await connection.start(new AbortController().signal);
    const work = connection.transaction(async (db) => {
      await db.insertInto("workers").values(insert(1)).execute();
      await server.kill();
      await new Promise((resolve) => setTimeout(resolve, 200));
      await db.insertInto("workers").values(insert(2)).execute();
    });
    await expect(work).rejects.toMatchObject({ code: "ledger-unreachable" });
    await server.restart();
    await until("open", () => connection.status().open);
    expect(await connection.run((db) => db.selectFrom("workers").selectAll().execute())).toEqual([]);
  });

  test("that is not there when the server starts is waited for", async () => {
    const server = await ownServer();
    await server.kill();
    const { connection } = connect({ kind: "postgres", url: server.url });
    await connection.start(new AbortController().signal);
    expect(connection.status()).toMatchObject({ open: false, fault: { code: "ledger-unreachable" } });
    await server.restart();
    await until("open", () => connection.status().open);
    await connection.transaction((db) => db.insertInto("workers").values(insert(1)).execute());
  });

  test("that shuts down while nobody asks is noticed", async () => {
    const server = await ownServer();
    const { connection } = connect({ kind: "postgres", url: server.url });
    await connection.start(new AbortController().signal);
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    await client.query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'bllvm-stratum-v2'",
    );
    await client.end();
    await until("it is noticed", () => !connection.status().open);
    expect(connection.status().fault?.code).toBe("ledger-unreachable");
    await until("open again", () => connection.status().open);
  });

  test.each([
    ["a wrong password", { password: "wr0ng" }, "28P01"],
    ["an unknown database", { pathname: "/nowhere" }, "3D000"],
    ["no password", { password: "" }, undefined],
  ])("refuses %s in words without the password", async (_, change, state) => {
    const server = await ownServer();
    const url = new URL(server.url);
    const { password } = url;
    Object.assign(url, change);
    const { connection, log } = connect({ kind: "postgres", url: url.href });
    await connection.start(new AbortController().signal);
    const { fault } = connection.status();
    expect(fault).toMatchObject({ code: "ledger-credentials", data: { code: state } });
    const words = `${inWords(fault)} ${JSON.stringify(log.lines)}`;
    for (const secret of [password, "wr0ng"]) expect(words).not.toContain(secret);
  });

  test("that only reads says so, and the ledger is written when it writes again", async () => {
    const server = await ownServer();
    const { connection } = connect({ kind: "postgres", url: server.url });
    await connection.start(new AbortController().signal);
    const set = async (value: "on" | "off"): Promise<void> => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query(`alter system set default_transaction_read_only = ${value}`);
      await client.query("select pg_reload_conf()");
      await client.end();
    };
    let n = 0;
    const write = (): Promise<unknown> =>
      connection
        .transaction((db) => db.insertInto("workers").values(insert(++n)).execute())
        .then(
          () => "in",
          (fault) => fault.code,
        );
    await set("on");
    await expect.poll(() => write()).toBe("ledger-read-only");
    expect(connection.status()).toMatchObject({ open: true, fault: { code: "ledger-read-only" } });
    await set("off");
    await expect.poll(() => write()).toBe("in");
    expect(connection.status().fault).toBeUndefined();
  });
});
