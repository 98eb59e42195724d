import { describe, expect, test } from "vitest";
import { dialBy } from "../../../src/client/dial.ts";
import type { Dial, Link } from "../../../src/client/link.ts";
import type { ServerAddress } from "../../../src/client/url.ts";

const listener = { onData: () => undefined, onClose: () => undefined };
const never = new AbortController().signal;
const server = (transport: ServerAddress["transport"]): ServerAddress => ({
  transport,
  host: "pool.example",
  port: 1,
  noise: true,
});

describe("dialling", () => {
  test("goes over the transport that the address names", async () => {
    const link: Link = { write: () => undefined, end: () => undefined, destroy: () => undefined };
    const dialled: string[] = [];
    const over =
      (name: string): Dial =>
      async ({ host }) => {
        dialled.push(`${name} ${host}`);
        return link;
      };
    const dial = dialBy({ tcp: over("tcp"), tls: over("tls") });
    expect(await dial(server("tls"), listener, never)).toBe(link);
    await dial(server("tcp"), listener, never);
    expect(dialled).toEqual(["tls pool.example", "tcp pool.example"]);
  });

  test("says which transport is not there", async () => {
    const dialled = dialBy({})(server("quic"), listener, never);
    await expect(dialled).rejects.toMatchObject({ code: "transport-unavailable", data: { transport: "quic" } });
  });
});
