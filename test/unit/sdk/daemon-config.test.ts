import { describe, expect, test } from "vitest";
import { z } from "zod";
import { daemonList, daemonsConfig, daemonsOf } from "../../../src/sdk/daemon-config.ts";
import { FakeDaemon, fakeHost, portsTo } from "./fakes.ts";

const issues = (list: unknown): string =>
  (daemonsConfig.safeParse(list).error?.issues ?? [])
    .map(({ path, message }) => `${path.join(".")}: ${message}`)
    .join("; ");

describe("the keys of a daemon", () => {
  test("a url is enough; the rest has defaults", () => {
    expect(daemonsConfig.parse([{ url: "http://127.0.0.1:8336" }])).toEqual([
      { url: "http://127.0.0.1:8336", notice: "auto", rpc_timeout_s: 10 },
    ]);
  });

  test.each([
    ["no list", undefined, "daemons is missing"],
    ["an empty list", [], "at least one daemon"],
    ["no url", [{}], "0.url: url is missing"],
    ["another scheme", [{ url: "ftp://u:hunter2@x" }], "0.url: url is no address"],
    ["a strange key", [{ url: "http://x", pasword: "a" }], "pasword"],
    [
      "two ways of credentials",
      [{ url: "http://x", user: "a", password: "b", cookie_file: "c" }],
      "only one of cookie_file",
    ],
    ["a password without user", [{ url: "http://x", password: "hunter2" }], "0.user: user is missing"],
    ["a user without password", [{ url: "http://x", user: "pool" }], "0.password: password is missing beside user"],
    [
      "a user beside a cookie",
      [{ url: "http://x", user: "pool", cookie_file: "c" }],
      "0.user: user has no effect beside cookie_file",
    ],
    ["a ZMQ address without scheme", [{ url: "http://x", zmq_hashblock: "x:28332" }], "0.zmq_hashblock: "],
    ["the same name twice", [{ url: "http://x:1" }, { url: "http://x:1/" }], "1.name: two daemons are called x:1"],
    ["a way of notice that is none", [{ url: "http://x", notice: "push" }], "0.notice"],
    ["no time at all", [{ url: "http://x", rpc_timeout_s: 0 }], "0.rpc_timeout_s"],
    ["nine daemons", Array.from({ length: 9 }, (_, i) => ({ url: `http://x:${i + 1}` })), "8 daemons at most"],
  ])("refuses %s", (_name, list, sentence) => {
    expect(issues(list)).toContain(sentence);
    expect(issues(list)).not.toContain("hunter2");
  });

  test("a plugin adds keys of its own", () => {
    const list = daemonList({ websocket: z.string().optional() });
    const url = "http://x";
    expect(list.parse([{ url, websocket: "ws://x" }])[0]).toMatchObject({ websocket: "ws://x", notice: "auto" });
    expect(list.safeParse([{ url: "gopher://x", websocket: "ws://x" }]).success).toBe(false);
  });
});

describe("the connections made of them", () => {
  async function authorization(keys: object, files: Record<string, string> = {}): Promise<string | undefined> {
    const { host } = fakeHost();
    const fake = new FakeDaemon();
    fake.table.getblockcount = () => 5;
    const list = daemonsConfig.parse([{ url: "http://nmc:8336", ...keys }]);
    const [daemon] = daemonsOf(list, host, portsTo({ "nmc:8336": fake }, files).ports);
    expect(await daemon?.rpc.call("getblockcount", [], z.number())).toBe(5);
    return fake.authorizations[0];
  }
  const basic = (text: string): string => `Basic ${btoa(text)}`;

  test("credentials come from the keys, from files beside the configuration, or from the URL", async () => {
    expect(await authorization({})).toBeUndefined();
    expect(await authorization({ user: "u", password: "p" })).toBe(basic("u:p"));
    expect(await authorization({ url: "http://a:b@nmc:8336" })).toBe(basic("a:b"));
    const files = { "/etc/pool/nmc/.cookie": "__cookie__:aa\n", "/run/secret": "q\n" };
    expect(await authorization({ cookie_file: "nmc/.cookie" }, files)).toBe(basic("__cookie__:aa"));
    expect(await authorization({ user: "u", password_file: "/run/secret" }, files)).toBe(basic("u:q"));
  });

  test("a daemon is called by its name, or by host and port without credentials", () => {
    const { host } = fakeHost();
    const list = daemonsConfig.parse([
      { url: "http://u:hunter2@nmc:8336" },
      { url: "http://nmc:8337", name: "second" },
    ]);
    const fake = new FakeDaemon();
    const daemons = daemonsOf(list, host, portsTo({ "nmc:8336": fake, "nmc:8337": fake }).ports);
    expect(daemons.map(({ name }) => name)).toEqual(["nmc:8336", "second"]);
    expect(daemons[0]?.rpc.address).toBe("http://nmc:8336/");
  });
});
