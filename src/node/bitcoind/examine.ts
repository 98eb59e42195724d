/** One look at a node from all sides, for `doctor` and for the checks at start. Nothing is left running. */
import { addressOfScript } from "../../bitcoin/address.ts";
import type { NetworkName } from "../../bitcoin/network.ts";
import type { Rpc } from "../../daemon/rpc.ts";
import type { ConnectSocket } from "../../daemon/socket.ts";
import { subscribeToBlocks } from "../../daemon/zmq-subscription.ts";
import { toHex } from "../../kernel/bytes.ts";
import type { Clock } from "../../kernel/clock.ts";
import { describe, Fault } from "../../kernel/fault.ts";
import type { Log } from "../../kernel/log.ts";
import { silentMeter } from "../../kernel/meter.ts";
import { addressInfo, blockTemplate } from "./answers.ts";
import { templateOfAnswer, templateRefusal, templateRequest } from "./block-template.ts";
import { JOB_SOURCE_DEFAULTS } from "./job-source.ts";
import { NodeWatch } from "./node-watch.ts";
import { MAX_TEMPLATE_BYTES } from "./tip-notices.ts";
import { type Judgement, judge, type NodeFacts } from "./trust.ts";

/** What `examineNode` needs. */
export interface ExamineDeps {
  readonly rpc: Rpc;
  readonly clock: Clock;
  readonly log: Log;
  readonly connect: ConnectSocket;
}

/** What a node is examined for. */
export interface ExamineOptions {
  readonly network: NetworkName;
  /** The payout's scriptPubKey, to ask the node whether it takes it for one of its network. */
  readonly payoutScript?: Uint8Array;
  readonly zmqAddress?: string;
  /** Age in ms from which on the best block is called old. */
  readonly staleTipMs: number;
}

/** What was found. */
export interface NodeExamination {
  readonly facts: NodeFacts;
  readonly judgement: Judgement;
  /** The template that it gave; `undefined` when it gave none, which is among the faults. */
  readonly template: { readonly height: number; readonly transactions: number; readonly seconds: number } | undefined;
  /** Everything that is wrong, the gravest first; each says what to do. */
  readonly faults: readonly Fault[];
}

/** Looks at a node. Never rejects. */
export async function examineNode(deps: ExamineDeps, options: ExamineOptions): Promise<NodeExamination> {
  const { rpc, clock } = deps;
  const { network, zmqAddress, payoutScript } = options;
  const watch = new NodeWatch(
    { ...deps, meter: silentMeter },
    { network, zmqAddress: undefined, notice: "poll", pollMs: JOB_SOURCE_DEFAULTS.pollMs },
  );
  await watch.check();
  const now = { nowMs: clock.nowMs(), monotonicMs: clock.monotonicMs() };
  const judgement = judge(watch.facts, { ...JOB_SOURCE_DEFAULTS, ...options }, now);
  const faults = judgement.fault === undefined ? [] : [judgement.fault];
  let template: NodeExamination["template"];
  if (watch.facts.fault === undefined) {
    const note = (error: unknown): void => {
      const fault = error instanceof Fault ? error : new Fault("node-connection", { reason: describe(error) });
      if (!faults.some(({ code }) => code === fault.code)) faults.push(fault);
    };
    const startedMs = clock.monotonicMs();
    try {
      const answer = await rpc.call("getblocktemplate", [templateRequest(network)], blockTemplate, {
        maxBytes: MAX_TEMPLATE_BYTES,
      });
      const { height, transactionCount } = templateOfAnswer(answer, { id: "", source: "", node: rpc.name });
      template = { height, transactions: transactionCount, seconds: (clock.monotonicMs() - startedMs) / 1000 };
    } catch (error) {
      note(templateRefusal(error));
    }
    if (payoutScript !== undefined) await checkPayout(rpc, payoutScript, network).catch(note);
    if (zmqAddress !== undefined) await checkZmq(deps, zmqAddress).catch(note);
  }
  return { facts: watch.facts, judgement, template, faults: [...faults, ...judgement.warnings] };
}

/**
 * Asks the node itself whether the payout's address is one of its network and stands for the same script. Scripts without
 * an address cannot be asked about and pass. Throws `Fault("node-payout-foreign")` and what an RPC call throws; a node
 * without `validateaddress` passes.
 */
export async function checkPayout(rpc: Rpc, script: Uint8Array, network: NetworkName): Promise<void> {
  const address = addressOfScript(script, network);
  if (address === undefined) return;
  try {
    const { isvalid, scriptPubKey } = await rpc.call("validateaddress", [address], addressInfo);
    const isSame = scriptPubKey === undefined || scriptPubKey === toHex(script);
    if (!isvalid || !isSame) throw new Fault("node-payout-foreign", { node: rpc.name, address, network });
  } catch (error) {
    if (!(error instanceof Fault) || error.code !== "node-method-unknown") throw error;
  }
}

/** Ms that a publisher has for the handshake. */
const ZMQ_TIMEOUT_MS = 5_000;

/** Connects to a ZMQ publisher and subscribes. Throws `Fault("node-zmq")`. */
async function checkZmq({ connect, clock, rpc }: ExamineDeps, address: string): Promise<void> {
  const over = new AbortController();
  const late = new Fault("node-zmq", { node: rpc.name, address, reason: "it did not answer in time" });
  const timer = clock.after(ZMQ_TIMEOUT_MS, () => over.abort(late));
  const done = new Error("subscribed");
  const subscription = { node: rpc.name, address, onSubscribed: () => over.abort(done), onHash: () => undefined };
  try {
    await subscribeToBlocks(connect, subscription, over.signal);
  } catch (error) {
    if (error !== done) throw error;
  } finally {
    timer.cancel();
  }
}
