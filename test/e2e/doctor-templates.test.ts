/** What `doctor` says of template providers and declaration servers, on real sockets. */
import { createServer } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkDeclaration, checkProvider } from "../../src/app/commands/doctor-templates.ts";
import { parseServerUrl } from "../../src/client/url.ts";
import { fromHex } from "../../src/kernel/bytes.ts";
import { encodeAuthorityPublicKey } from "../../src/sv2/noise/authority-key.ts";
import { composedServer } from "../support/composed-server.ts";

/** Somebody else's key: the x coordinate of BIP340's test vector 0. */
const OTHER = encodeAuthorityPublicKey(fromHex("f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9"));

async function world() {
  const { running, ready } = await composedServer({
    template_server: { listen_addr: "127.0.0.1:0" },
    job_declaration: { listen_addr: "127.0.0.1:0" },
  });
  await ready("namecoin", "rsk");
  return running;
}

const provider = (url: string, connectTimeoutMs = 5000) =>
  checkProvider({ name: "tp", url, address: parseServerUrl(url) }, { connectTimeoutMs });
const declaration = (url: string, connectTimeoutMs = 5000) => {
  const address = parseServerUrl(url);
  return checkDeclaration(
    { name: "main", url, address, userIdentity: "account.farm", jds: address },
    { mode: "full_template", connectTimeoutMs },
  );
};

/** Takes connections and never says a word. */
async function mute(): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    onTestFinished(() => void socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

describe("doctor", () => {
  test("gets a template of a provider, and a token of a declaration server", async () => {
    const { authorityPublicKey: key, templates: templateServer, declaration: jds } = await world();
    expect(await provider(`stratum2+tcp://${templateServer}/${key}`)).toEqual([
      { check: "template provider tp", result: "ok", detail: "its key is the one of the URL" },
      {
        check: "template provider tp",
        result: "ok",
        detail: expect.stringMatching(/^its template for block \d+ came after \d+ ms$/),
      },
    ]);
    expect(await declaration(`stratum2+tcp://${jds}`)).toEqual([
      expect.objectContaining({ result: "warning", detail: "its key was not checked, for the URL has none" }),
      {
        check: "job declaration of main",
        result: "ok",
        detail: expect.stringMatching(/^a token with \d outputs? of the pool's came after \d+ ms$/),
      },
    ]);
  });

  test("names the cause and the fix when they do not come", async () => {
    const { authorityPublicKey: key, templates: templateServer, declaration: jds } = await world();
    for (const check of [provider, declaration]) {
      const address = check === provider ? templateServer : jds;
      expect(await check(`stratum2+tcp://${address}/${OTHER}`)).toMatchObject([
        { result: "failed", fix: expect.stringContaining("Take the authority key") },
      ]);
      expect(await check("stratum2+tcp://127.0.0.1:1")).toMatchObject([
        { result: "failed", fix: expect.stringContaining("nc -vz 127.0.0.1 1") },
      ]);
      expect(await check(`stratum2+tcp://${await mute()}/${key}`, 300)).toMatchObject([{ result: "failed" }]);
    }
    // Each has the other's door.
    expect(await provider(`stratum2+tcp://${jds}/${key}`)).toMatchObject([
      { result: "failed", detail: expect.stringContaining("unsupported-protocol") },
    ]);
    expect(await declaration(`stratum2+tcp://${templateServer}/${key}`)).toMatchObject([
      { result: "failed", detail: expect.stringContaining("unsupported-protocol") },
    ]);
  });
});
