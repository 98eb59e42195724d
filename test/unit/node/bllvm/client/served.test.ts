/** What the node asks of us, and lines for its log. */
import { describe, expect, test } from "vitest";
import type { BllvmInvocation, BllvmInvocationAnswer } from "../../../../../src/node/bllvm/bllvm-node.ts";
import type { ModuleMessage } from "../../../../../src/node/bllvm/wire/codec.ts";
import { clientWorld, golden } from "../../../../support/bllvm-client.ts";
import type { FakeUnixPeer } from "../../../../support/fake-unix.ts";

type Result = Extract<ModuleMessage, { type: "InvocationResult" }>;

const results = (peer: FakeUnixPeer): Result[] =>
  peer.messages.filter((message): message is Result => message.type === "InvocationResult");

const api = (handler: (invocation: BllvmInvocation) => Promise<BllvmInvocationAnswer>) => ({
  methods: ["get_pool_stats"],
  apiVersion: 1,
  cli: {
    name: "stratum-v2",
    about: "a pool",
    subcommands: [{ name: "status", about: "how it is", args: [{ name: "miner", required: true, takesValue: true }] }],
  },
  handler,
});

const cli = (correlationId: bigint): ModuleMessage => ({
  type: "Invocation",
  correlationId,
  invocation: { name: "Cli", value: { subcommand: "status", args: ["a"] } },
});

describe("invocations", () => {
  test("are answered by the handler, in the node's own frames", async () => {
    const { client, up, settle } = clientWorld();
    const asked: BllvmInvocation[] = [];
    client.serve(
      api(async (invocation) => {
        asked.push(invocation);
        return invocation.type === "Cli"
          ? { type: "Cli", stdout: "ok", stderr: "", exitCode: 0 }
          : { type: "ModuleApi", result: new TextEncoder().encode("{}") };
      }),
    );
    const peer = await up();
    await settle();
    peer.send(golden("head.invocation.cli"));
    peer.send(golden("head.invocation.module_api"));
    await settle();
    expect(asked).toEqual([
      { type: "Cli", subcommand: "status", args: ["a"] },
      { type: "ModuleApi", method: "get_pool_stats", params: new TextEncoder().encode("{}"), callerModuleId: "c" },
    ]);
    expect(peer.writes.slice(-2)).toEqual([
      golden("head.invocation_result.cli"),
      golden("head.invocation_result.module_api"),
    ]);
  });

  test("as RPC are refused in words, since the node cannot read an answer to them", async () => {
    const { up, settle } = clientWorld();
    const peer = await up();
    await settle();
    peer.send(golden("head.invocation.rpc(json Value, not self-describing)"));
    expect(results(peer)).toEqual([
      {
        type: "InvocationResult",
        correlationId: 3n,
        success: false,
        payload: null,
        error: "this module answers no RPC of the node",
      },
    ]);
  });

  test.each([
    ["throws", async () => Promise.reject(new Error("password=hunter2")), "failed to answer"],
    ["says no", async () => ({ type: "error", error: "no such miner" }), "no such miner"],
    ["answers another question", async () => ({ type: "ModuleApi", result: Uint8Array.of(1) }), "failed to answer"],
    [
      "answers without an end",
      async () => ({ type: "Cli", stdout: "x".repeat(2 << 20), stderr: "", exitCode: 0 }),
      "too long",
    ],
    [
      "answers what cannot be written",
      async () => ({ type: "Cli", stdout: "", stderr: "", exitCode: 0.5 }),
      "cannot be written",
    ],
  ] as const)("get words and nothing of our inside where the handler %s", async (_what, handler, words) => {
    const { client, up, settle } = clientWorld();
    client.serve(api(handler as (invocation: BllvmInvocation) => Promise<BllvmInvocationAnswer>));
    const peer = await up();
    await settle();
    peer.say(cli(9n));
    await settle();
    const [result] = results(peer);
    expect(result).toMatchObject({ correlationId: 9n, success: false, payload: null });
    expect(result?.error).toContain(words);
    expect(result?.error).not.toContain("hunter2");
    expect(client.state().phase).toBe("up");
  });

  test("are eight at once, and answered in time whether or not the handler is", async () => {
    const { client, up, settle, pass, meter } = clientWorld();
    const waiting: ((answer: BllvmInvocationAnswer) => void)[] = [];
    client.serve(api(() => new Promise((resolve) => void waiting.push(resolve))));
    const peer = await up();
    await settle();
    for (let i = 1; i <= 10; i++) peer.say(cli(BigInt(i)));
    expect(waiting).toHaveLength(8);
    expect(results(peer).map(({ error }) => error)).toEqual(
      Array.from({ length: 2 }, () => "this module is busy, ask again"),
    );
    await pass(25_000, 500);
    expect(results(peer)).toHaveLength(10);
    expect(meter.sums.get("bllvm_invocations_total{answer=late}")).toBe(8);
    waiting[0]?.({ type: "Cli", stdout: "late", stderr: "", exitCode: 0 });
    await settle();
    expect(results(peer)).toHaveLength(10);
    peer.say(cli(11n));
    expect(waiting).toHaveLength(9);
  });

  test("get no answer on a connection that came after", async () => {
    const { client, up, settle, passServed, peers } = clientWorld();
    let answer: (answer: BllvmInvocationAnswer) => void = () => undefined;
    client.serve(
      api(
        () =>
          new Promise((resolve) => {
            answer = resolve;
          }),
      ),
    );
    const peer = await up();
    await settle();
    peer.say(cli(1n));
    peer.close();
    await passServed(1_500);
    answer({ type: "Cli", stdout: "", stderr: "", exitCode: 0 });
    await settle();
    expect(peers).toHaveLength(2);
    expect(peers.flatMap(results)).toEqual([]);
  });
});

describe("serve", () => {
  test("registers command line and methods on every connection, behind the tip", async () => {
    const { client, up, settle, passServed, peers } = clientWorld();
    client.serve(api(async () => ({ type: "error", error: "no" })));
    const peer = await up();
    await settle();
    const order = [
      "Handshake",
      "SubscribeEvents",
      "GetChainTip",
      "GetChainInfo",
      "RegisterCliSpec",
      "RegisterModuleApi",
    ];
    expect(peer.requests).toEqual(order);
    expect(peer.request("RegisterCliSpec").request.value).toEqual({
      spec: {
        version: 1,
        name: "stratum-v2",
        about: "a pool",
        subcommands: [
          {
            name: "status",
            about: "how it is",
            args: [
              { name: "miner", longName: "miner", shortName: null, required: true, takesValue: true, default: null },
            ],
          },
        ],
      },
    });
    expect(peer.request("RegisterModuleApi").request.value).toEqual({ methods: ["get_pool_stats"], apiVersion: 1 });
    peer.close();
    await passServed(2_000);
    expect(peers.at(-1)?.requests).toEqual(order);
    client.serve(api(async () => ({ type: "error", error: "no" })));
    await settle();
    expect(peers.at(-1)?.requests.slice(6)).toEqual(["RegisterCliSpec", "RegisterModuleApi"]);
  });
});

describe("log lines", () => {
  test("go out as the node's own frame, without an answer and without the requests' pace", async () => {
    const { client, up, settle, clock } = clientWorld();
    const peer = await up();
    await settle();
    clock.jumpTo(1_700_000_000_000);
    client.log("info", "hi", "module");
    expect(peer.writes.at(-1)).toEqual(golden("head.log.info"));
    expect(peer.messages.at(-1)).toEqual({
      type: "Log",
      level: "Info",
      moduleId: "bllvm-stratum-v2",
      message: "hi",
      target: "module",
      timestamp: 1_700_000_000n,
    });
  });

  test("are a hundred at once and twenty a second, and counted where they are dropped", async () => {
    const { client, up, settle, pass, meter } = clientWorld();
    client.log("info", "too early", "pool");
    const peer = await up();
    await settle();
    const lines = (): number => peer.messages.filter(({ type }) => type === "Log").length;
    for (let i = 0; i < 500; i++) client.log("warn", `line ${i}`, "pool");
    expect(lines()).toBe(100);
    await pass(1_000);
    for (let i = 0; i < 500; i++) client.log("warn", `line ${i}`, "pool");
    expect(lines()).toBe(120);
    expect(meter.sums.get("bllvm_log_lines_dropped_total{why=away}")).toBe(1);
    expect(meter.sums.get("bllvm_log_lines_dropped_total{why=rate}")).toBe(880);
    await pass(1_000);
    client.log("warn", "x".repeat(100_000), "pool");
    expect(peer.writes.at(-1)?.length).toBeLessThan(5_000);
  });
});
