import { describe, expect, test } from "vitest";
import { concat, fromHex, utf8 } from "../../../../../src/kernel/bytes.ts";
import { type ModuleMessage, wireCodec } from "../../../../../src/node/bllvm/wire/codec.ts";
import type { EventTypeName, EventValue } from "../../../../../src/node/bllvm/wire/events.ts";
import type { RequestPayload } from "../../../../../src/node/bllvm/wire/requests.ts";
import type { ResponsePayload } from "../../../../../src/node/bllvm/wire/responses.ts";
import { GOLDEN } from "../../../../support/bllvm-wire.ts";
import vectors from "../../../../vectors/bllvm-ipc.json" with { type: "json" };

/** The bytes b, b + 1, … b + 31, as the program that wrote the frames made its hashes. */
const h = (b: number): Uint8Array => Uint8Array.from({ length: 32 }, (_, i) => b + i);
const NAME = "bllvm-stratum-v2";
const header = {
  version: 0x20000000n,
  prevBlockHash: h(1),
  merkleRoot: h(2),
  timestamp: 1_700_000_000n,
  bits: 0x1d00ffffn,
  nonce: 0x12345678n,
};
const coinbase = {
  version: 1n,
  inputs: [
    { prevout: { hash: new Uint8Array(32), index: 0xffffffff }, sequence: 0xfffffffen, scriptSig: fromHex("0340d10c") },
  ],
  outputs: [{ value: 312_500_000n, scriptPubkey: fromHex("51") }],
  lockTime: 839_987n,
};
const second = {
  version: 2n,
  inputs: [{ prevout: { hash: h(9), index: 1 }, sequence: 0xfffffffdn, scriptSig: new Uint8Array(0) }],
  outputs: [{ value: 1000n, scriptPubkey: fromHex("0014") }],
  lockTime: 0n,
};

const request = (correlationId: bigint, request: RequestPayload): ModuleMessage => ({
  type: "Request",
  correlationId,
  request,
});
const response = (correlationId: bigint, payload: ResponsePayload): ModuleMessage => ({
  type: "Response",
  correlationId,
  success: true,
  payload,
  error: null,
});
const event = <N extends EventTypeName>(name: N, value: EventValue<N>): ModuleMessage =>
  ({ type: "Event", eventType: name, event: { name, value } }) as unknown as ModuleMessage;
const publish = <N extends EventTypeName>(correlationId: bigint, name: N, value: EventValue<N>): ModuleMessage =>
  request(correlationId, {
    name: "PublishEvent",
    value: { eventType: name, payload: { name, value } },
  } as unknown as RequestPayload);

const HANDSHAKE = request(1n, {
  name: "Handshake",
  value: { moduleId: NAME, moduleName: NAME, version: "0.1.0" },
});
const JOB_CREATED = publish(11n, "MiningJobCreated", { jobId: "7", prevHash: h(1), height: 840_001n });
const LOG: ModuleMessage = {
  type: "Log",
  level: "Info",
  moduleId: NAME,
  message: "hi",
  target: "module",
  timestamp: 1_700_000_000n,
};

/** What the program that wrote the frames put into them. */
const VALUES: Readonly<Record<string, ModuleMessage>> = {
  "head.req.handshake": HANDSHAKE,
  "head.resp.handshake_ack": response(1n, { name: "HandshakeAck", value: { nodeVersion: "0.1.54" } }),
  "head.req.subscribe": request(2n, {
    name: "SubscribeEvents",
    value: {
      eventTypes: [
        "NewBlock",
        "BlockDisconnected",
        "ChainReorg",
        "BlockMined",
        "BlockTemplateUpdated",
        "MiningDifficultyChanged",
        "StratumV2MessageReceived",
        "NodeShutdown",
      ],
    },
  }),
  "head.resp.subscribe_ack": response(2n, { name: "SubscribeAck", value: {} }),
  "head.req.get_chain_tip": request(3n, { name: "GetChainTip", value: {} }),
  "head.resp.hash": response(3n, { name: "Hash", value: { hash: h(0) } }),
  "head.req.get_block_height": request(4n, { name: "GetBlockHeight", value: {} }),
  "head.resp.u64": response(4n, { name: "U64", value: { value: 840_000n } }),
  "head.req.get_block_header": request(5n, { name: "GetBlockHeader", value: { hash: h(0) } }),
  "head.resp.block_header_some": response(5n, { name: "BlockHeader", value: { header } }),
  "head.resp.block_header_none": response(5n, { name: "BlockHeader", value: { header: null } }),
  "head.req.get_chain_info": request(6n, { name: "GetChainInfo", value: {} }),
  "head.resp.chain_info": response(6n, {
    name: "ChainInfo",
    value: { chainInfo: { tipHash: h(0), height: 840_000n, difficulty: 0x17034219, chainWork: 7n, isSynced: true } },
  }),
  "head.req.get_block_template": request(7n, {
    name: "GetBlockTemplate",
    value: { rules: ["segwit"], coinbaseScript: fromHex("0340d10c"), coinbaseAddress: "hex:51" },
  }),
  "head.req.get_block_template_none": request(7n, {
    name: "GetBlockTemplate",
    value: { rules: ["segwit"], coinbaseScript: null, coinbaseAddress: null },
  }),
  "head.resp.block_template": response(7n, {
    name: "BlockTemplate",
    value: {
      template: {
        header,
        coinbaseTx: coinbase,
        transactions: [second],
        target: 0xffffn << 64n,
        height: 840_000n,
        timestamp: 1_700_000_000n,
      },
    },
  }),
  "head.req.submit_block": request(8n, {
    name: "SubmitBlock",
    value: { block: { header, transactions: [coinbase] } },
  }),
  "head.resp.submit_accepted": response(8n, {
    name: "SubmitBlockResult",
    value: { result: { name: "Accepted", value: {} } },
  }),
  "head.resp.submit_rejected": response(8n, {
    name: "SubmitBlockResult",
    value: { result: { name: "Rejected", value: { reason: "bad-txns" } } },
  }),
  "head.req.queue_received_block": request(9n, {
    name: "QueueReceivedBlock",
    value: { blockBytes: fromHex("010203") },
  }),
  "head.resp.received_block_queued": response(9n, { name: "ReceivedBlockQueued", value: {} }),
  "head.req.get_mempool_transactions": request(10n, { name: "GetMempoolTransactions", value: {} }),
  "head.resp.mempool_transactions": response(10n, { name: "MempoolTransactions", value: { hashes: [h(0)] } }),
  "head.resp.mempool_size": response(10n, {
    name: "MempoolSize",
    value: { mempoolSize: { transactionCount: 3n, sizeBytes: 900n, totalFeeSats: 4500n } },
  }),
  "head.resp.network_stats": response(10n, {
    name: "NetworkStats",
    value: { networkStats: { peerCount: 8n, hashRate: 1.5, bytesSent: 1n, bytesReceived: 2n } },
  }),
  "head.req.publish.mining_job_created": JOB_CREATED,
  "head.req.publish.share_submitted": publish(12n, "ShareSubmitted", {
    jobId: "7",
    shareHash: h(3),
    minerId: "miner-1",
  }),
  "head.req.publish.merge_mining_reward": publish(13n, "MergeMiningReward", {
    secondaryChain: "namecoin",
    rewardAmount: 312_500_000n,
    blockHash: h(4),
  }),
  "head.req.publish.pool_connected": publish(14n, "MiningPoolConnected", {
    poolUrl: "stratum2+tcp://p:3333",
    poolId: null,
  }),
  "head.req.publish.pool_disconnected": publish(15n, "MiningPoolDisconnected", {
    poolUrl: "stratum2+tcp://p:3333",
    reason: "eof",
  }),
  "head.resp.event_published": response(11n, { name: "EventPublished", value: {} }),
  "head.event.new_block": event("NewBlock", { blockHash: h(0), height: 840_001n }),
  "head.event.chain_reorg": event("ChainReorg", { oldTip: h(0), newTip: h(1) }),
  "head.event.block_mined": event("BlockMined", { blockHash: h(0), height: 840_001n, minerId: null }),
  "head.event.block_template_updated": event("BlockTemplateUpdated", {
    prevHash: h(0),
    height: 840_002n,
    txCount: 2500n,
  }),
  "head.event.mining_difficulty_changed": event("MiningDifficultyChanged", {
    oldDifficulty: 0x17034219,
    newDifficulty: 0x17033000,
    height: 840_672n,
  }),
  "head.event.stratum_v2_message_received": event("StratumV2MessageReceived", {
    messageData: fromHex("010000000000"),
    peerAddr: "127.0.0.1:1",
  }),
  "head.event.node_shutdown": event("NodeShutdown", { reason: "signal", timeoutSeconds: 30n }),
  "head.log.info": LOG,
  "head.resp.error": { type: "Response", correlationId: 9n, success: false, payload: null, error: "x" },
  "head.req.register_cli_spec": request(16n, {
    name: "RegisterCliSpec",
    value: {
      spec: {
        version: 1,
        name: "stratum-v2",
        about: null,
        subcommands: [
          {
            name: "status",
            about: "s",
            args: [{ name: "x", longName: null, shortName: null, required: true, takesValue: null, default: null }],
          },
        ],
      },
    },
  }),
  "head.resp.bool_true": response(16n, { name: "Bool", value: { value: true } }),
  "head.invocation.cli": {
    type: "Invocation",
    correlationId: 1n,
    invocation: { name: "Cli", value: { subcommand: "status", args: ["a"] } },
  },
  "head.invocation.module_api": {
    type: "Invocation",
    correlationId: 2n,
    invocation: { name: "ModuleApi", value: { method: "get_pool_stats", params: utf8("{}"), callerModuleId: "c" } },
  },
  "head.invocation_result.cli": {
    type: "InvocationResult",
    correlationId: 1n,
    success: true,
    payload: { name: "Cli", value: { stdout: "ok", stderr: "", exitCode: 0 } },
    error: null,
  },
  "head.invocation_result.module_api": {
    type: "InvocationResult",
    correlationId: 2n,
    success: true,
    payload: { name: "ModuleApi", value: { result: utf8("{}") } },
    error: null,
  },
  "head.invocation.rpc(json Value, not self-describing)": {
    type: "Invocation",
    correlationId: 3n,
    invocation: { name: "Rpc", value: { method: "m", params: null } },
  },
  "head.req.report_metric": request(17n, {
    name: "ReportMetric",
    value: {
      metric: { name: "shares", value: { name: "Counter", value: { value: 5n } }, labels: new Map(), timestamp: 1n },
    },
  }),
  "head.req.report_health": request(18n, {
    name: "ReportModuleHealth",
    value: { health: { name: "Healthy", value: {} } },
  }),
  "head.req.call_module": request(19n, {
    name: "CallModule",
    value: { targetModuleId: null, method: "get_coinbase_payout", params: new Uint8Array(0) },
  }),
  "head.req.register_module_api": request(20n, {
    name: "RegisterModuleApi",
    value: { methods: ["get_pool_stats"], apiVersion: 1 },
  }),
  "head.resp.module_list": response(21n, {
    name: "ModuleList",
    value: {
      modules: [
        {
          moduleId: "a_1",
          moduleName: "a",
          version: "0.1.0",
          capabilities: ["read_blockchain"],
          status: { name: "Running", value: {} },
          apiVersion: 1,
        },
      ],
    },
  }),
  "n1.req.handshake": HANDSHAKE,
  "n1.req.publish.mining_job_created": JOB_CREATED,
  "n1.req.storage_open_tree": request(12n, { name: "StorageOpenTree", value: { name: "merge_mining" } }),
  "n1.log.info": LOG,
};
const RPC = "head.invocation.rpc(json Value, not self-describing)";

test("there is a value for every frame that the node's own code wrote", () => {
  expect(GOLDEN.map(({ name }) => name)).toEqual(Object.keys(VALUES));
});

describe.each(GOLDEN)("$name", ({ name, schema, payload }) => {
  const codec = wireCodec(schema);

  test("decodes to what was put in", () => {
    expect(codec.decode(payload)).toEqual(VALUES[name]);
  });

  test("reads the same with bytes behind it, as bincode does", () => {
    expect(codec.decode(concat(payload, new Uint8Array(7).fill(0xee)))).toEqual(VALUES[name]);
  });
});

// What an Rpc invocation holds behind its method is passed over, so it cannot be written, and only its method can be cut.
describe.each(GOLDEN.filter(({ name }) => name !== RPC))("$name", ({ name, schema, frame, payload }) => {
  const codec = wireCodec(schema);

  test("encodes to the node's bytes", () => {
    expect(codec.encode(VALUES[name] as ModuleMessage)).toEqual(frame);
  });

  test("is a fault cut anywhere", () => {
    for (let size = 0; size < payload.length; size++) {
      expect(() => codec.decode(payload.subarray(0, size))).toThrow(
        expect.objectContaining({ code: "bllvm-message-invalid", act: "drop" }),
      );
    }
  });
});

describe("serde_json::Value, which bincode writes and nobody reads", () => {
  test("is what the node's own code fails at", () => {
    const failed = vectors.filter(({ result }) => result === "Err(DeserializeAnyNotSupported)").map(({ note }) => note);
    expect(failed).toEqual([
      "deserialize of Invocation::Rpc",
      "deserialize of InvocationResult::Rpc (what the node does)",
    ]);
  });

  test("is neither asked nor answered by us", () => {
    const codec = wireCodec("s3");
    expect(() => codec.encode(VALUES[RPC] as ModuleMessage)).toThrow(TypeError);
    expect(() =>
      codec.encode({
        type: "InvocationResult",
        correlationId: 3n,
        success: true,
        payload: { name: "Rpc", value: { result: null } },
        error: null,
      }),
    ).toThrow(TypeError);
  });

  test("a call of it is answered without a payload", () => {
    const codec = wireCodec("s3");
    const answer: ModuleMessage = {
      type: "InvocationResult",
      correlationId: 3n,
      success: false,
      payload: null,
      error: "no such method",
    };
    expect(codec.decode(codec.encode(answer).subarray(4))).toEqual(answer);
  });
});
