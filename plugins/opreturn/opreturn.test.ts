/** Tags: what may be one, the bytes of real ones, and tags that are asked for. */
import { fromHex, type HttpAnswer, type HttpClient, type HttpRequest, toHex } from "bllvm-stratum-v2/plugin";
import { describe, expect, test } from "vitest";
import { chainHost } from "../../test/support/chain-host.ts";
import { settle } from "../../test/support/scripted-daemon.ts";
import vectors from "../../test/vectors/mergemining.json" with { type: "json" };
import { plugin, tagPlugin } from "./index.ts";
import { scriptFlaw } from "./tag.ts";

const CORE = "012953559db5cc88ab20b1960faa9793803d070337e7ec323813c943336c579e238228a8ebd096a7e5";

/** Opens the chain of a table and returns its first work and its output. */
async function opened(table: object) {
  const host = chainHost("tag");
  const chain = plugin.open(plugin.config.parse(table), host);
  await chain.start();
  await settle();
  await chain.stop();
  const [work] = host.offers;
  if (work === undefined) throw new Error("no work");
  const output = chain.commit(work);
  return { host, chain, work, script: toHex((output as { script: Uint8Array }).script) };
}

describe("a tag of the configuration", () => {
  // The coinbase of F2Pool's block 938,873 holds both, each as an output of value 0.
  const coinbase =
    vectors.hathor.map(({ coinbaseHead }) => coinbaseHead).find((head) => head.includes("434f5245")) ?? "";

  test("CORE's is the output of a real coinbase", async () => {
    const { script } = await opened({ prefix: "CORE", data: CORE });
    expect(coinbase).toContain(`00000000000000002f${script}`);
  });

  test("a whole script is taken as it is: exSat's of the same coinbase", async () => {
    const { script } = await opened({ script: "6a10455853415401051b0f0e0e0b1f120013" });
    expect(coinbase).toContain(`000000000000000012${script}`);
  });

  test("text and prefix are UTF-8", async () => {
    expect((await opened({ text: "hällo", prefix: "a" })).script).toBe("6a076168c3a46c6c6f");
  });

  test("of 75 bytes has a length of one byte, of 76 and 97 of two", async () => {
    expect((await opened({ data: "ab".repeat(75) })).script).toBe(`6a4b${"ab".repeat(75)}`);
    expect((await opened({ data: "ab".repeat(76) })).script).toBe(`6a4c4c${"ab".repeat(76)}`);
    expect((await opened({ data: "ab".repeat(97) })).script).toBe(`6a4c61${"ab".repeat(97)}`);
  });

  test("is work that nothing solves, and says so when asked all the same", async () => {
    const { work, chain } = await opened({ text: "x" });
    expect(work).toMatchObject({ id: "6a0178", target: 0n, value: undefined, height: 0 });
    await expect(chain.submit({} as never, new AbortController().signal)).rejects.toThrow("nothing can be submitted");
    await expect(chain.status({} as never, new AbortController().signal)).rejects.toThrow();
  });

  test("is offered again before it expires, and no more after the end", async () => {
    const host = chainHost("tag");
    const chain = plugin.open(plugin.config.parse({ text: "x" }), host);
    await chain.start();
    await settle();
    for (let i = 0; i < 3; i += 1) {
      host.clock.advance(30_000);
      await settle();
    }
    expect(host.offers).toHaveLength(4);
    await chain.stop();
    expect(host.clock.pending).toBe(0);
  });

  test.each([
    [{}, "none is given"],
    [{ text: "x", data: "00" }, "data and text are given"],
    [{ data: "0" }, "hex digits"],
    [{ data: "ab".repeat(98) }, "at most 97 fit"],
    [{ text: "ä".repeat(97) }, "at most 97 fit"],
    [{ prefix: "CORE" }, "none is given"],
    [{ script: "6a0101", prefix: "CORE" }, "prefix goes with"],
    [{ script: `0014${"00".repeat(20)}` }, "does not begin with 6a"],
    [{ url: "ftp://x" }, "url is no address"],
    [{ url: "http://u:p@x/" }, "give user and password as keys"],
    [{ text: "x", password: "p" }, "go with url"],
    [{ url: "http://x/", user: "u" }, "password is missing beside user"],
    [{ txt: "x" }, "txt"],
  ])("%o is refused: %s", (table, says) => {
    const checked = plugin.config.safeParse(table);
    expect(checked.success).toBe(false);
    expect(JSON.stringify(checked.error?.issues)).toContain(says);
  });
});

describe("scriptFlaw", () => {
  test.each(["6a", "6a00", "6a0101", "6a0101024142", "6a4c0141", "6a4d010041"])("%s is a tag", (script) => {
    expect(scriptFlaw(fromHex(script))).toBeUndefined();
  });

  test.each([
    ["", "does not begin"],
    ["51", "does not begin"],
    ["6aac", "no push"],
    ["6a0101ac", "no push"],
    ["6a02ab", "past its end"],
    ["6a4c", "past its end"],
    ["6a4d01", "past its end"],
    [`6a4c63${"00".repeat(99)}`, "at most 100"],
  ])("%s is none: %s", (script, says) => {
    expect(scriptFlaw(fromHex(script))).toContain(says);
  });
});

describe("a tag that is asked for", () => {
  function setUp() {
    const state: { answer: Partial<HttpAnswer> | Error } = { answer: { text: "0102\n" } };
    const sent: HttpRequest[] = [];
    const http: HttpClient = {
      close() {},
      send: async (request) => {
        sent.push(request);
        if (state.answer instanceof Error) throw state.answer;
        return { status: 200, dateMs: undefined, text: "", ...state.answer };
      },
    };
    const host = chainHost("tag");
    const { config, open } = tagPlugin(() => http);
    const chain = open(
      config.parse({ url: "http://127.0.0.1:99/tag", user: "u", password: "s3cret", prefix: "CORE" }),
      host,
    );
    const next = async () => {
      host.clock.advance(30_000);
      await settle();
      return host.offers.at(-1)?.id;
    };
    return { state, sent, host, chain, next };
  }

  test("changes when the address says so, and goes when it says that there is none", async () => {
    const { state, sent, chain, host, next } = setUp();
    await chain.start();
    await settle();
    expect(sent[0]).toMatchObject({ method: "GET", url: new URL("http://127.0.0.1:99/tag") });
    expect(sent[0]?.headers.authorization).toBe(`Basic ${Buffer.from("u:s3cret").toString("base64")}`);
    expect(host.offers.at(-1)?.id).toBe("6a06434f52450102");
    state.answer = { text: "FF" };
    expect(await next()).toBe("6a05434f5245ff");
    state.answer = { status: 404 };
    expect(await next()).toBeUndefined();
    expect(host.troubles.at(-1)).toBeUndefined();
    await chain.stop();
  });

  test.each([
    [Object.assign(new Error("x"), { code: "ECONNREFUSED" }), "nothing listens"],
    [{ text: "<html>" }, "something else than hex"],
    [{ text: "" }, "something else than hex"],
    [{ text: "abc" }, "something else than hex"],
    [{ text: "00".repeat(94) }, "at most 97 fit"],
    [{ status: 500, text: "oops" }, "node-"],
  ])("stands while the address fails: %o", async (answer, says) => {
    const { state, chain, host, next } = setUp();
    await chain.start();
    await settle();
    state.answer = answer;
    await next();
    expect(host.offers).toHaveLength(1);
    if (says !== "node-") expect(host.troubles.at(-1)).toContain(says);
    expect(host.troubles.at(-1)).toBeTypeOf("string");
    expect(JSON.stringify(host.troubles)).not.toContain("s3cret");
    state.answer = { text: "03" };
    expect(await next()).toBe("6a05434f524503");
    expect(host.troubles.at(-1)).toBeUndefined();
    await chain.stop();
  });
});
