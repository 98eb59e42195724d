/** The bllvm node's RPC over an embedded chain, with and without the node's JSON-RPC. */
import type { z } from "zod";
import { decodeBlock } from "../../../../../src/devnet/node/block-data.ts";
import type { DevnetNodeOptions } from "../../../../../src/devnet/node/options.ts";
import type { Template } from "../../../../../src/mining/template.ts";
import { type BlockTemplateAnswer, blockTemplate } from "../../../../../src/node/bitcoind/answers.ts";
import { templateOfAnswer, templateRequest } from "../../../../../src/node/bitcoind/block-template.ts";
import { BLLVM_RPC_DEFAULTS, BllvmRpc, type BllvmRpcOptions } from "../../../../../src/node/bllvm/rpc/bllvm-rpc.ts";
import { FakeClock } from "../../../../support/fake-clock.ts";
import { recordingLog } from "../../../../support/recording-log.ts";
import { solveTemplate } from "../../../../support/solve-template.ts";
import { FakeBllvm, FakeBllvmRpc, regtest } from "./fakes.ts";

/** What can be chosen. */
export interface WorldOptions {
  readonly devnet?: DevnetNodeOptions;
  readonly hasJsonRpc?: boolean;
  readonly options?: Partial<BllvmRpcOptions>;
}

/** Everything, wired. */
export function world(choice: WorldOptions = {}) {
  const clock = new FakeClock();
  const devnet = regtest(clock, choice.devnet);
  const node = new FakeBllvm(devnet);
  const jsonRpc = new FakeBllvmRpc(node, clock);
  const log = recordingLog();
  const rpc = new BllvmRpc(
    { node, rpc: choice.hasJsonRpc === false ? undefined : jsonRpc, clock, log },
    { ...BLLVM_RPC_DEFAULTS, ...choice.options },
  );
  const warnings = (): string[] => log.lines.filter(({ level }) => level === "warn").map(({ message }) => message);
  const ask = <S extends z.ZodType>(method: string, params: readonly unknown[], schema: S) =>
    rpc.call(method, params, schema);
  const answer = (): Promise<BlockTemplateAnswer> =>
    rpc.call("getblocktemplate", [templateRequest("regtest")], blockTemplate);
  const template = async (): Promise<Template> =>
    templateOfAnswer(await answer(), { id: "1", source: "test", node: "bllvm" });
  /** Solves a template and hands it to the embedded chain: its verdict, `null` for a valid block. */
  const mine = (made: Template, extraValue = 0n): string | null => {
    const { block } = solveTemplate(made, { extraValue });
    if (block === undefined) throw new Error("no block");
    return devnet.chain.submit(decodeBlock(block));
  };
  return { clock, devnet, node, jsonRpc, log, rpc, warnings, ask, answer, template, mine };
}
