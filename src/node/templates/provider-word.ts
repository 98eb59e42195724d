/**
 * What template providers let on about a block: SubmitSolution has no answer (spec 7.7), but whoever took the block names it as the tip of the next work. In
 * the place of a node's JSON-RPC, for a server that has none: the sink of found blocks asks it what it asks nodes.
 */
import { z } from "zod";
import { sha256d } from "../../bitcoin/hash.ts";
import type { CallOptions, Rpc, RpcParams } from "../../daemon/rpc.ts";
import { toDisplayHex } from "../../kernel/bytes.ts";
import { type Clock, sleep } from "../../kernel/clock.ts";
import { Fault } from "../../kernel/fault.ts";
import type { TemplateProviders } from "./providers.ts";

/** Tips that are remembered. */
const TIPS_KEPT = 64;

/** How often it is looked whether a tip came, ms. */
const LOOK_EVERY_MS = 100;

/** A provider that says nothing of a block for so long, ms, has not answered. */
const TIMEOUT_MS = 60_000;

/** Bytes of a header in hex. */
const HEADER_HEX = 160;

/** Hex of a header's previous hash begins here. */
const PREV_AT = 8;

/** What `ProviderWord` works with. */
export interface ProviderWordDeps {
  readonly clock: Clock;
  readonly providers: Pick<TemplateProviders, "onTip">;
}

/** The word. */
export class ProviderWord implements Rpc {
  readonly name = "template providers";
  readonly address = "";
  readonly clockOffsetMs = undefined;
  readonly #deps: ProviderWordDeps;
  /** Display hex, the newest last. */
  readonly #tips: string[] = [];

  constructor(deps: ProviderWordDeps) {
    this.#deps = deps;
    deps.providers.onTip((_, prevHash) => {
      const tip = toDisplayHex(prevHash);
      if (this.#tips.at(-1) === tip) return;
      this.#tips.push(tip);
      if (this.#tips.length > TIPS_KEPT) this.#tips.shift();
    });
  }

  /** Answers `submitblock` and `getblockheader`, by the tips that providers name; throws `Fault("node-timeout")` when they name none. */
  async call<S extends z.ZodType>(
    method: string,
    params: RpcParams,
    schema: S,
    { signal, timeoutMs = TIMEOUT_MS }: CallOptions = {},
  ): Promise<z.output<S>> {
    const text = z.tuple([z.string()]).rest(z.unknown()).parse(params)[0];
    const startedMs = this.#deps.clock.monotonicMs();
    const [hash, parent] = method === "submitblock" ? headerHashes(text) : [text, undefined];
    while (this.#deps.clock.monotonicMs() - startedMs < timeoutMs) {
      const said = this.#sayOf(hash, parent);
      if (said !== undefined) {
        return schema.parse(
          method === "submitblock" ? (said ? null : "inconclusive") : { confirmations: said ? 1 : -1 },
        );
      }
      if (method !== "submitblock") break;
      await sleep(this.#deps.clock, LOOK_EVERY_MS, signal);
    }
    throw new Fault("node-timeout", { node: this.name, method, afterMs: timeoutMs });
  }

  close(): void {}

  /** Whether the block is in the chain that providers work on; `undefined` while nothing is to be seen. */
  #sayOf(hash: string, parent: string | undefined): boolean | undefined {
    if (this.#tips.includes(hash)) return true;
    const at = parent === undefined ? -1 : this.#tips.lastIndexOf(parent);
    // Another block took the place on its parent.
    return at !== -1 && at < this.#tips.length - 1 ? false : undefined;
  }
}

/** Hash of a block and of its parent, display hex, from its bytes in hex. */
function headerHashes(hex: string): readonly [string, string] {
  const header = Uint8Array.from(Buffer.from(hex.slice(0, HEADER_HEX), "hex"));
  return [toDisplayHex(sha256d(header)), toDisplayHex(header.subarray(PREV_AT / 2, PREV_AT / 2 + 32))];
}
