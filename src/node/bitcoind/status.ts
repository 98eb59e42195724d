/** The state of all nodes as plain data, for `doctor`, the status line, metrics and the dashboard. */
import type { Fault } from "../../kernel/fault.ts";
import type { Template } from "../../mining/template.ts";
import type { NodeWatch } from "./node-watch.ts";
import type { NoticeKind } from "./tip-notices.ts";
import type { Judgement } from "./trust.ts";

/** A fault in words. */
export interface Concern {
  readonly code: string;
  readonly message: string;
  readonly help: string;
}

/** One node. */
export interface NodeStatus {
  readonly name: string;
  /** RPC address without credentials. */
  readonly address: string;
  /** Whether work is taken from it now. */
  readonly active: boolean;
  /** Whether it answers and gives templates. */
  readonly up: boolean;
  readonly trust: Judgement["trust"];
  /** Core's name of its network. */
  readonly chain: string | undefined;
  /** E.g. `/Satoshi:31.1.0/`. */
  readonly version: string | undefined;
  readonly height: number | undefined;
  /** Best block, display-order hex. */
  readonly tip: string | undefined;
  /** Time of the best block, Unix seconds. */
  readonly tipTimeS: number | undefined;
  readonly headers: number | undefined;
  readonly initialBlockDownload: boolean;
  readonly connections: number | undefined;
  readonly latencyMs: number | undefined;
  /** The node's clock minus ours, ms, to about a second. */
  readonly clockOffsetMs: number | undefined;
  /** Why it is not trusted, or does not answer. */
  readonly fault: Concern | undefined;
  readonly warnings: readonly Concern[];
  /** New blocks by the notice that told them first. */
  readonly notices: Readonly<Record<NoticeKind, number>>;
}

/** All nodes and the work taken from them. */
export interface SourceStatus {
  /** Name of the node that work is taken from. */
  readonly active: string | undefined;
  readonly nodes: readonly NodeStatus[];
  readonly template:
    | { readonly id: string; readonly height: number; readonly transactions: number; readonly ageMs: number }
    | undefined;
}

/** Puts the snapshot together. */
export function sourceStatus(
  watches: readonly NodeWatch[],
  judgements: readonly Judgement[],
  active: number | undefined,
  work: { readonly template: Template | undefined; readonly templateAgeMs: number | undefined },
): SourceStatus {
  const nodes = watches.map(({ rpc, facts, notices }, index): NodeStatus => {
    const judgement = judgements[index];
    return {
      name: rpc.name,
      address: rpc.address,
      active: index === active,
      up: facts.known && facts.fault === undefined,
      trust: judgement?.trust ?? "unusable",
      chain: facts.chain,
      version: facts.version,
      height: facts.tip?.height,
      tip: facts.tip?.hash,
      tipTimeS: facts.tip?.timeS,
      headers: facts.headers,
      initialBlockDownload: facts.initialBlockDownload,
      connections: facts.connections,
      latencyMs: facts.latencyMs,
      clockOffsetMs: facts.clockOffsetMs,
      fault: concern(judgement?.fault ?? facts.fault),
      warnings: (judgement?.warnings ?? []).map((fault) => concern(fault)).filter((found) => found !== undefined),
      notices,
    };
  });
  const { template, templateAgeMs = 0 } = work;
  return {
    active: active === undefined ? undefined : nodes[active]?.name,
    nodes,
    template:
      template === undefined
        ? undefined
        : { id: template.id, height: template.height, transactions: template.transactionCount, ageMs: templateAgeMs },
  };
}

/** A fault as plain words. */
export function concern(fault: Fault | undefined): Concern | undefined {
  return fault === undefined ? undefined : { code: fault.code, message: fault.message, help: fault.help };
}
