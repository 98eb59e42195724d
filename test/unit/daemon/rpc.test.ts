import { describe, expect, test } from "vitest";
import { z } from "zod";
import { rpcAddress } from "../../../src/daemon/address.ts";
import type { Credentials } from "../../../src/daemon/credentials.ts";
import type { HttpAnswer, HttpLimits } from "../../../src/daemon/http.ts";
import { RpcClient, type RpcParams } from "../../../src/daemon/rpc.ts";
import { connectionFault } from "../../../src/daemon/rpc-failure.ts";
import { Fault, describe as inWords } from "../../../src/kernel/fault.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import core from "../../vectors/bitcoind-rpc.json" with { type: "json" };
import daemons from "../../vectors/daemon-rpc.json" with { type: "json" };
import { MemoryFiles, settle } from "../node/bitcoind/fakes.ts";

interface Sent {
  readonly body: { readonly jsonrpc: string; readonly id: number; readonly method: string; readonly params: unknown };
  readonly headers: Readonly<Record<string, string>>;
  readonly limits: HttpLimits;
}

type Reply = Partial<HttpAnswer> | Error | ((sent: Sent) => Partial<HttpAnswer> | Error | Promise<Partial<HttpAnswer>>);

const cookie: Credentials = { kind: "cookie", path: "/node/.cookie" };

/** A client whose HTTP answers are scripted, in order. */
function client(replies: readonly Reply[], options: { credentials?: Credentials; url?: string } = {}) {
  const clock = new FakeClock();
  const files = new MemoryFiles();
  files.texts.set("/node/.cookie", "__cookie__:c0ffee\n");
  const sent: Sent[] = [];
  const queue = [...replies];
  const rpc = new RpcClient(
    {
      clock,
      files,
      http: () => ({
        async post(body, headers, limits) {
          const call: Sent = { body: JSON.parse(body), headers, limits };
          sent.push(call);
          const next = queue.shift();
          const reply = typeof next === "function" ? await next(call) : next;
          if (reply === undefined) throw new Error("no reply is left");
          if (reply instanceof Error) throw reply;
          return { status: 200, dateMs: undefined, text: "", ...reply };
        },
        close() {},
      }),
    },
    {
      name: "core",
      url: options.url ?? "http://127.0.0.1:8332",
      credentials: options.credentials ?? cookie,
      timeoutMs: 15_000,
    },
  );
  const call = (method = "getblockcount", schema: z.ZodType = z.unknown()) => rpc.call(method, [], schema);
  const fault = async (method?: string, schema?: z.ZodType): Promise<Fault> => {
    const error = await call(method, schema).catch((thrown: unknown) => thrown);
    if (error instanceof Fault) return error;
    throw new Error(`not a fault: ${String(error)}`);
  };
  return { rpc, clock, files, sent, call, fault };
}

const result =
  (value: unknown): Reply =>
  ({ body }) => ({ text: JSON.stringify({ jsonrpc: "2.0", result: value, id: body.id }) });
const system = (code: string, more: object = {}): Error =>
  Object.assign(new Error(`system said ${code}`), { code }, more);

describe("a call", () => {
  test("sends JSON-RPC 2.0 with basic authorization and gives the checked result", async () => {
    const { rpc, sent } = client([result({ hash: "aa", height: 7, other: true }), result(8)]);
    const tip = await rpc.call("waitfornewblock", [500, "bb"], z.object({ height: z.number() }));
    expect(tip).toEqual({ height: 7 });
    expect(sent[0]?.body).toEqual({ jsonrpc: "2.0", id: 1, method: "waitfornewblock", params: [500, "bb"] });
    expect(sent[0]?.headers.authorization).toBe(`Basic ${btoa("__cookie__:c0ffee")}`);
    expect(sent[0]?.limits.maxBytes).toBe(1 << 20);
    await rpc.call("getblockcount", [], z.number(), { maxBytes: 5 });
    expect([sent[1]?.body.id, sent[1]?.limits.maxBytes]).toEqual([2, 5]);
  });

  test("understands answers of JSON-RPC 1.0 too", async () => {
    const { call } = client([({ body }) => ({ text: JSON.stringify({ result: 5, error: null, id: body.id }) })]);
    expect(await call()).toBe(5);
  });

  test("reads the cookie once, and again when the node was restarted with another", async () => {
    const { call, files, sent } = client([result(1), { status: 401 }, result(2), result(3)]);
    await call();
    files.texts.set("/node/.cookie", "__cookie__:decaf");
    expect(await call()).toBe(2);
    await call();
    expect(sent.map(({ headers }) => atob(headers.authorization?.slice(6) ?? "").slice(11))).toEqual([
      "c0ffee",
      "c0ffee",
      "decaf",
      "decaf",
    ]);
    expect(files.steps.filter((step) => step.startsWith("read")).length).toBe(2);
  });

  test("calls that were refused together all come through with the new cookie", async () => {
    const held: (() => void)[] = [];
    const refusedLater: Reply = async () => {
      await new Promise<void>((resolve) => held.push(resolve));
      return { status: 401 };
    };
    const { call, files, sent } = client([result(1), refusedLater, refusedLater, result(2), result(3)]);
    await call();
    const [first, second] = [call(), call()];
    await settle();
    files.texts.set("/node/.cookie", "__cookie__:decaf");
    held[0]?.();
    expect(await first).toBe(2);
    held[1]?.();
    expect(await second).toBe(3);
    expect(sent).toHaveLength(5);
  });

  test("does not try the same refused cookie twice", async () => {
    const { fault, sent } = client([{ status: 401 }]);
    expect((await fault()).code).toBe("node-unauthorized");
    expect(sent.length).toBe(1);
  });

  test("takes user and password from the options, from a file, or from the URL", async () => {
    const authorizationOf = async (options: Parameters<typeof client>[1], text?: string): Promise<string> => {
      const { call, sent, files } = client([result(1)], options);
      if (text !== undefined) files.texts.set("/pw", text);
      await call();
      const header = sent[0]?.headers.authorization;
      return header === undefined ? "none" : atob(header.slice(6));
    };
    expect(await authorizationOf({ credentials: { kind: "password", user: "u", password: "p:q" } })).toBe("u:p:q");
    expect(await authorizationOf({ credentials: { kind: "passwordFile", user: "u", path: "/pw" } }, "pw \nx")).toBe(
      "u:pw",
    );
    const url = "http://me:p%40ss@127.0.0.1:8332/";
    expect(await authorizationOf({ credentials: { kind: "none" }, url })).toBe("me:p@ss");
    expect(await authorizationOf({ credentials: { kind: "password", user: "u", password: "p" }, url })).toBe("u:p");
    expect(await authorizationOf({ credentials: { kind: "none" } })).toBe("none");
  });

  test("ends at its deadline and closes its request", async () => {
    const { fault, clock, sent } = client([
      ({ limits }) =>
        new Promise((_, reject) => limits.signal.addEventListener("abort", () => reject(system("ABORT_ERR")))),
    ]);
    const failed = fault("getblocktemplate");
    await settle();
    clock.advance(14_999);
    expect(sent[0]?.limits.signal.aborted).toBe(false);
    clock.advance(1);
    expect((await failed).message).toBe(
      "the node did not answer in time (node core, address http://127.0.0.1:8332/, method getblocktemplate, seconds 15)",
    );
    expect(clock.pending).toBe(0);
  });

  test("ends with the caller's signal and leaves no timer and no listener behind", async () => {
    const { rpc, clock } = client([
      ({ limits }) =>
        new Promise((_, reject) => limits.signal.addEventListener("abort", () => reject(system("ABORT_ERR")))),
    ]);
    const stop = new AbortController();
    const reason = new Error("enough");
    const failed = rpc.call("getblockcount", [], z.unknown(), { signal: stop.signal }).catch((error: unknown) => error);
    await settle();
    stop.abort(reason);
    expect(await failed).toBe(reason);
    expect(clock.pending).toBe(0);
    await expect(rpc.call("x", [], z.unknown(), { signal: stop.signal })).rejects.toBe(reason);
  });

  test("learns the difference of the clocks from the Date header", async () => {
    const { rpc, clock, call } = client([
      ({ body }) => ({ text: JSON.stringify({ result: 1, id: body.id }), dateMs: clock.nowMs() + 90_000 }),
    ]);
    expect(rpc.clockOffsetMs).toBeUndefined();
    await call();
    expect(rpc.clockOffsetMs).toBe(90_500);
  });
});

describe("an answer that is none", () => {
  const html = "<html><head><title>Welcome</title></head></html>";
  const cases: [string, Reply, string, RegExp][] = [
    ["wrong user or password", { status: 401 }, "node-unauthorized", /does not know this user or password/],
    ["address not allowed", { status: 403 }, "node-forbidden", /forbids the call/],
    ["wrong path", { status: 404 }, "node-not-found", /no JSON-RPC at that path/],
    ["redirect", { status: 301, text: "moved" }, "node-http-status", /status 301/],
    [
      "stopping, as namecoind was seen to",
      { status: 503, text: "" },
      "node-disconnected",
      /closed the connection without an answer/,
    ],
    ["busy", { status: 503, text: "Work queue depth exceeded" }, "node-busy", /Work queue depth exceeded/],
    ["web page", { text: html }, "node-web-page", /a web page answered/],
    ["proxy's error page", { status: 502, text: `\n<!DOCTYPE html>${html}` }, "node-web-page", /status 502/],
    ["TLS port", { status: 400, text: "The plain HTTP request was sent to HTTPS port" }, "node-wants-https", /TLS/],
    [
      "TLS port of Go",
      { status: 400, text: "Client sent an HTTP request to an HTTPS server." },
      "node-wants-https",
      /TLS/,
    ],
    ["no JSON", { text: "hello\u001b[31m\nthere" }, "node-not-json", /begins hello \[31m there/],
    ["cut JSON", { text: '{"result":1' }, "node-not-json", /not JSON/],
    ["another id", { text: '{"result":1,"id":99}' }, "node-answer-unexpected", /place id/],
    ["a list", { text: "[]" }, "node-answer-unexpected", /envelope/],
    ["wrong form", result("x"), "node-answer-unexpected", /place result/],
  ];
  test.each(cases)("%s", async (_name, reply, code, words) => {
    const { fault } = client([reply]);
    const found = await fault("getblockcount", z.number());
    expect(found.code).toBe(code);
    expect(found.message).toMatch(words);
    expect(found.message).toContain("node core, address http://127.0.0.1:8332/, method getblockcount");
    expect(found.help.length).toBeGreaterThan(20);
  });

  test("says where an answer has another form", async () => {
    const { fault } = client([result({ tip: { height: "7" } })]);
    const found = await fault("x", z.object({ tip: z.object({ height: z.number() }) }));
    expect(found.message).toContain("place tip.height");
  });
});

describe("what Bitcoin Core 31.1 answered", () => {
  const expected: Record<string, string> = {
    "warmup getblocktemplate": "node-warming-up",
    "wrong password": "node-unauthorized",
    "wrong user": "node-unauthorized",
    "no authorization header": "node-unauthorized",
    "http GET": "node-http-status",
    "unknown http path": "node-not-found",
    "malformed json": "node-rpc-error",
    "unknown method": "node-method-unknown",
    "unknown method (jsonrpc 2.0)": "node-method-unknown",
    "getblocktemplate without rules": "node-rpc-error",
    "getblocktemplate without rules (jsonrpc 2.0)": "node-rpc-error",
    "getblocktemplate empty rules": "node-rpc-error",
    "getblocktemplate longpoll, malformed id": "node-rpc-error",
    "getblocktemplate longpoll, node stopped (SIGTERM), other outcome": "node-disconnected",
    "getblockheader unknown hash": "node-rpc-error",
    "work queue full": "node-busy",
    "mainnet getblocktemplate, no peers": "node-no-peers",
    "mainnet getblocktemplate, in IBD with a peer": "node-syncing",
    "mainnet getblocktemplate, in IBD with a peer (jsonrpc 2.0)": "node-syncing",
  };
  const answers = core.answers as unknown as Record<
    string,
    { status: number; bodyText: string; request: { body?: string } }
  >;

  test.each(Object.entries(expected))("%s is %s", async (name, code) => {
    const { status, bodyText } = answers[name] ?? { status: 0, bodyText: "" };
    const { fault } = client([
      { status, text: bodyText },
      { status, text: bodyText },
    ]);
    expect((await fault()).code).toBe(code);
  });

  test("every good answer gives its result", async () => {
    const good = Object.entries(answers).filter(
      ([name, { status, bodyText }]) =>
        status === 200 && /^\{/.test(bodyText) && !bodyText.includes('"code":') && name !== "batch",
    );
    expect(good.length).toBeGreaterThan(30);
    for (const [name, { bodyText }] of good) {
      const { rpc } = client([({ body }) => ({ text: bodyText.replace(/"id":1\}/, `"id":${body.id}}`) })]);
      const given = await rpc.call("x", [], z.unknown());
      expect(given, name).toEqual((JSON.parse(bodyText) as { result: unknown }).result);
    }
  });
});

describe("what the daemons of auxiliary chains answered", () => {
  const { exchanges } = daemons as unknown as {
    exchanges: readonly {
      readonly daemon: string;
      readonly request: { readonly method: string; readonly params: RpcParams };
      readonly status: number;
      readonly response: { readonly result?: unknown; readonly error?: { code: number; message: string } | null };
    }[];
  };

  const answered = exchanges.filter(({ status }) => status !== 401);

  test.each(answered.map((exchange) => [`${exchange.daemon}: ${exchange.request.method}`, exchange] as const))(
    "%s",
    async (_name, { request, status, response }) => {
      const { rpc, sent } = client([{ status, text: JSON.stringify(response) }]);
      const given = await rpc.call(request.method, request.params, z.unknown()).catch((error: unknown) => error);
      expect(sent[0]?.body.params).toEqual(request.params);
      const { error } = response;
      if (error === null || error === undefined) {
        expect(given).toEqual(response.result);
      } else {
        expect(given).toBeInstanceOf(Fault);
        expect((given as Fault).data).toMatchObject({ rpcCode: error.code, says: error.message });
        expect((given as Fault).code).toBe(error.code === -32601 ? "node-method-unknown" : "node-rpc-error");
      }
    },
  );

  test("an error may be a mere text, or lack its code", async () => {
    const { fault } = client([
      ({ body }) => ({ text: JSON.stringify({ result: null, error: "no such block", id: body.id }) }),
      ({ body }) => ({ text: JSON.stringify({ error: { message: "busy" }, id: body.id }) }),
      ({ body }) => ({
        text: JSON.stringify({
          error: { code: 42001, message: "requesting method if out of service level" },
          id: body.id,
        }),
      }),
    ]);
    expect((await fault()).data).toMatchObject({ rpcCode: 0, says: "no such block" });
    expect((await fault()).data).toMatchObject({ rpcCode: 0, says: "busy" });
    expect((await fault()).code).toBe("node-method-unknown");
  });
});

describe("no answer at all", () => {
  const facts = { node: "core", address: "http://127.0.0.1:8332/", method: "getblockcount" };
  test.each([
    ["ECONNREFUSED", "node-refused"],
    ["ENOTFOUND", "node-dns"],
    ["EAI_AGAIN", "node-dns"],
    ["EHOSTUNREACH", "node-unreachable"],
    ["ENETUNREACH", "node-unreachable"],
    ["ETIMEDOUT", "node-timeout"],
    ["ECONNRESET", "node-disconnected"],
    ["EPIPE", "node-disconnected"],
    ["EPROTO", "node-wants-http"],
    ["ERR_SSL_WRONG_VERSION_NUMBER", "node-wants-http"],
    ["DEPTH_ZERO_SELF_SIGNED_CERT", "node-certificate"],
    ["CERT_HAS_EXPIRED", "node-certificate"],
    ["ERR_TLS_CERT_ALTNAME_INVALID", "node-certificate"],
    ["HPE_INVALID_CONSTANT", "node-not-http"],
    ["ESOMETHING", "node-connection"],
  ])("%s is %s", (code, expected) => {
    const fault = connectionFault(system(code), facts);
    expect(fault.code).toBe(expected);
    expect(fault.message).toContain("node core");
  });

  test("a TLS alert instead of HTTP asks for https", () => {
    const rawPacket = Uint8Array.of(0x15, 3, 1, 0, 2);
    expect(connectionFault(system("HPE_INVALID_CONSTANT", { rawPacket }), facts).code).toBe("node-wants-https");
    expect(connectionFault(system("HPE_INVALID_CONSTANT", { rawPacket: Uint8Array.of(9) }), facts).code).toBe(
      "node-not-http",
    );
  });

  test("of several addresses of a host, the last one tried speaks", () => {
    const all = new AggregateError([system("ETIMEDOUT"), system("ECONNREFUSED")], "");
    expect(connectionFault(all, facts).code).toBe("node-refused");
    expect(connectionFault(Object.assign(all, { code: "ECONNREFUSED" }), facts).code).toBe("node-refused");
  });

  test("and what has no code is shown in its own words", () => {
    expect(connectionFault(new Error("odd\nthing"), facts).message).toContain("reason odd thing");
  });

  test("an answer beyond its bound keeps its own fault and gains the node's name", () => {
    const fault = connectionFault(new Fault("node-answer-too-big", { maxBytes: 5 }), facts);
    expect([fault.code, fault.data.node, fault.data.maxBytes]).toEqual(["node-answer-too-big", "core", 5]);
  });

  test("a cookie that cannot be read says why", async () => {
    const { fault, files } = client([]);
    files.texts.delete("/node/.cookie");
    expect((await fault()).message).toBe(
      "the node's cookie file cannot be used (path /node/.cookie, reason there is no such file)",
    );
    files.before = () => {
      throw system("EACCES");
    };
    expect((await fault()).message).toContain("this user may not read it");
    files.before = () => undefined;
    files.texts.set("/node/.cookie", "\n");
    expect((await fault()).message).toContain("it is empty");
    files.texts.set("/node/.cookie", "nonsense");
    expect((await fault()).message).toContain("it has no user:password");
  });
});

describe("secrets", () => {
  test("the URL that requests go to holds no credentials, or Node would send them by itself", () => {
    const { url, shown, credentials } = rpcAddress("http://me:p%40ss@127.0.0.1:8332/wallet/x?y#z");
    expect([url.username, url.password, credentials]).toEqual(["", "", "me:p@ss"]);
    expect(shown).toBe("http://127.0.0.1:8332/wallet/x");
    expect(rpcAddress("https://node.example").credentials).toBeUndefined();
  });

  test("no message shows a password, wherever it came from", async () => {
    const url = "http://me:hunter2@127.0.0.1:8332/?x=hunter2#hunter2";
    const failures: Reply[] = [
      { status: 401 },
      { status: 403 },
      { status: 404 },
      { text: "<html>" },
      system("ECONNREFUSED"),
      system("ESOMETHING"),
    ];
    const credentials: Credentials[] = [{ kind: "none" }, { kind: "password", user: "me", password: "hunter2" }];
    for (const failure of failures) {
      for (const credential of credentials) {
        const { fault } = client([failure], { url, credentials: credential });
        const found = await fault();
        expect(inWords(found) + JSON.stringify(found.data)).not.toContain("hunter2");
      }
    }
    for (const bad of [
      "htp://me:hunter2@host",
      "http://me:hunter2@",
      "me:hunter2@host:8332",
      "http://me:hun%ter2@h:1",
    ]) {
      const refused = (): unknown => client([], { url: bad });
      expect(refused).toThrow(Fault);
      expect(refused).toThrow(expect.not.objectContaining({ message: expect.stringMatching(/hun.?ter2/) }));
    }
  });
});
