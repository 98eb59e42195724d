/** A bllvm node that does what a test says: what it is asked is kept, what it tells comes from the test. No socket, no frames. */

import { Bus, type Unsubscribe } from "../../src/kernel/events.ts";
import { Fault } from "../../src/kernel/fault.ts";
import type {
  BllvmEvents,
  BllvmInvocation,
  BllvmInvocationAnswer,
  BllvmNode,
  BllvmPublishedEvent,
  BllvmState,
} from "../../src/node/bllvm/bllvm-node.ts";

/** A line that the module wrote into the node's log. */
export interface NodeLogLine {
  readonly level: string;
  readonly message: string;
  readonly target: string;
}

/** The node. */
export class ScriptedBllvmNode implements BllvmNode {
  readonly name = "bllvm";
  readonly address = "/run/node.sock";
  readonly published: BllvmPublishedEvent[] = [];
  readonly lines: NodeLogLine[] = [];
  /** What it does with an event; accepts it when it was not said otherwise. Called with the time-out that it was given. */
  onPublish: (event: BllvmPublishedEvent, timeoutMs: number | undefined) => Promise<void> = async () => undefined;
  /** What `serve` was called with. */
  served: Parameters<BllvmNode["serve"]>[0] | undefined;
  readonly #bus = new Bus<BllvmEvents>({
    onError(error) {
      throw error;
    },
  });
  readonly #listeners = new Set<(state: BllvmState) => void>();
  #state: BllvmState = {
    phase: "up",
    sinceMs: 0,
    nodeVersion: "0.1.54",
    schema: "s3",
    trouble: undefined,
    unusable: [],
    isKnown: true,
  };

  state(): BllvmState {
    return this.#state;
  }

  onState(listener: (state: BllvmState) => void): Unsubscribe {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** The connection is another one now. */
  become(change: Partial<BllvmState>): void {
    this.#state = { ...this.#state, ...change };
    for (const listener of this.#listeners) listener(this.#state);
  }

  /** Who listens to its state. */
  get listeners(): number {
    return this.#listeners.size;
  }

  on<N extends keyof BllvmEvents>(name: N, listener: (event: BllvmEvents[N]) => void): Unsubscribe {
    return this.#bus.on(name, listener);
  }

  /** It tells something. */
  tell<N extends keyof BllvmEvents>(name: N, event: BllvmEvents[N]): void {
    this.#bus.emit(name, event);
  }

  async publish(event: BllvmPublishedEvent, options?: { readonly timeoutMs?: number }): Promise<void> {
    if (this.#state.phase !== "up") throw new Fault("bllvm-away");
    await this.onPublish(event, options?.timeoutMs);
    this.published.push(event);
  }

  log(level: string, message: string, target: string): void {
    this.lines.push({ level, message, target });
  }

  serve(api: Parameters<BllvmNode["serve"]>[0]): void {
    this.served = api;
  }

  /** Another module, or somebody at the node's command line, asks. */
  async invoke(invocation: BllvmInvocation): Promise<BllvmInvocationAnswer> {
    if (this.served === undefined) throw new Error("nothing is served");
    return await this.served.handler(invocation);
  }

  /** As `invoke` for a method of the API, with JSON both ways; an error is thrown. */
  async call<T>(method: string, params: unknown, callerModuleId = "other_00"): Promise<T> {
    const bytes = new TextEncoder().encode(JSON.stringify(params));
    const answer = await this.invoke({ type: "ModuleApi", method, params: bytes, callerModuleId });
    if (answer.type === "error") throw new Error(answer.error);
    if (answer.type !== "ModuleApi") throw new Error(`answered as ${answer.type}`);
    return JSON.parse(new TextDecoder().decode(answer.result)) as T;
  }

  chainInfo(): Promise<never> {
    return notAsked();
  }
  syncStatus(): Promise<never> {
    return notAsked();
  }
  blockHeader(): Promise<never> {
    return notAsked();
  }
  block(): Promise<never> {
    return notAsked();
  }
  blockByHeight(): Promise<never> {
    return notAsked();
  }
  peerCount(): Promise<never> {
    return notAsked();
  }
  queueReceivedBlock(): Promise<never> {
    return notAsked();
  }
}

function notAsked(): Promise<never> {
  return Promise.reject(new Error("this test does not read the chain"));
}
