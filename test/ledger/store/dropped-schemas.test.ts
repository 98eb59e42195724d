/** A PostgreSQL database that others use too: their schemas come and go while the ledger's is brought up to date. */
import pg from "pg";
import { expect, inject, onTestFinished, test } from "vitest";
import { LEDGERS } from "../../support/ledger-store.ts";

const url = inject("postgresUrl");
const postgres = LEDGERS.find(({ name }) => name === "postgres");

test.runIf(url !== undefined)("schemas that others drop meanwhile do not keep a ledger from opening", async () => {
  let isOver = false;
  const others = Array.from({ length: 3 }, async (_, i) => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (let n = 0; !isOver; n++) {
      const name = `others_${process.pid}_${i}_${n}`;
      await client.query(`create schema ${name}`);
      for (const table of ["a", "b", "c"]) await client.query(`create table ${name}.${table} (id serial)`);
      await client.query(`drop schema ${name} cascade`);
    }
    await client.end();
  });
  onTestFinished(async () => {
    isOver = true;
    await Promise.all(others);
  });
  for (let i = 0; i < 15; i++) {
    const store = await postgres?.open();
    expect(await store?.db.selectFrom("accounts").selectAll().execute()).toEqual([]);
  }
});
