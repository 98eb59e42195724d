/**
 * What the node asks of us: its command line and other modules. Answered within the node's own patience, a few at a time, and
 * whatever the handler does, an answer goes out that says nothing about our inside.
 */
import type { Clock } from "../../../kernel/clock.ts";
import type { Log } from "../../../kernel/log.ts";
import type { Meter } from "../../../kernel/meter.ts";
import type { BllvmInvocation, BllvmInvocationAnswer } from "../bllvm-node.ts";
import type { Invocation, InvocationResult } from "../wire/messages.ts";

/** Questions that are being answered at once. */
const MOST_AT_ONCE = 8;
/** Ms for an answer: the node waits 60 s for its command line and 30 s for a call that goes on to somebody else. */
const DEADLINE_MS = 25_000;
/** Most bytes of an answer. */
const MOST_BYTES = 1 << 20;
/** Most characters of an error. */
const MOST_CHARACTERS = 1000;

/** Answers a question. */
export type InvocationHandler = (invocation: BllvmInvocation) => Promise<BllvmInvocationAnswer>;

/** An answer as the wire has it. */
export interface InvocationReply {
  readonly success: boolean;
  readonly payload: InvocationResult | null;
  readonly error: string | null;
}

type Answerable = Exclude<Invocation, { name: "Rpc" }>;

/** Answers what the node asks. */
export class Invocations {
  readonly #deps: { readonly clock: Clock; readonly log: Log; readonly meter: Meter };
  /** Answers; until there is one, nothing is offered. */
  handler: InvocationHandler | undefined;
  #underWay = 0;

  constructor(deps: { readonly clock: Clock; readonly log: Log; readonly meter: Meter }) {
    this.#deps = deps;
  }

  /** Calls `reply` once, with the answer or with why there is none. */
  answer(invocation: Invocation, reply: (reply: InvocationReply) => void): void {
    const { handler } = this;
    if (invocation.name === "Rpc") {
      this.#refuse(reply, "this module answers no RPC of the node");
    } else if (handler === undefined) {
      this.#refuse(reply, "this module offers nothing yet");
    } else if (this.#underWay >= MOST_AT_ONCE) {
      this.#refuse(reply, "this module is busy, ask again", "busy");
    } else {
      this.#begin(handler, invocation, reply);
    }
  }

  #begin(handler: InvocationHandler, invocation: Answerable, reply: (reply: InvocationReply) => void): void {
    this.#underWay += 1;
    let isOver = false;
    const end = (answer: "answered" | "error" | "late", said: InvocationReply): void => {
      if (isOver) return;
      isOver = true;
      timer.cancel();
      this.#underWay -= 1;
      this.#count(answer);
      reply(said);
    };
    const timer = this.#deps.clock.after(DEADLINE_MS, () => end("late", failure("the answer took too long")));
    this.#ask(handler, invocation).then(
      (said) => end(said.success ? "answered" : "error", said),
      (error: unknown) => {
        this.#deps.log.warn("a question of the bllvm node could not be answered", { error, asked: invocation.name });
        end("error", failure("this module failed to answer; its log says why"));
      },
    );
  }

  async #ask(handler: InvocationHandler, invocation: Answerable): Promise<InvocationReply> {
    const { name, value } = invocation;
    const answer = await handler(
      name === "Cli"
        ? { type: "Cli", subcommand: value.subcommand, args: value.args }
        : { type: "ModuleApi", method: value.method, params: value.params, callerModuleId: value.callerModuleId },
    );
    if (answer.type === "error") return failure(answer.error);
    if (answer.type !== name) throw new TypeError(`a question of kind ${name} was answered with ${answer.type}`);
    const size = answer.type === "Cli" ? answer.stdout.length + answer.stderr.length : answer.result.length;
    if (size > MOST_BYTES) return failure("the answer is too long for the node");
    const payload: InvocationResult =
      answer.type === "Cli"
        ? { name: "Cli", value: { stdout: answer.stdout, stderr: answer.stderr, exitCode: answer.exitCode } }
        : { name: "ModuleApi", value: { result: answer.result } };
    return { success: true, payload, error: null };
  }

  #refuse(reply: (reply: InvocationReply) => void, words: string, answer: "error" | "busy" = "error"): void {
    this.#count(answer);
    reply(failure(words));
  }

  #count(answer: "answered" | "error" | "busy" | "late"): void {
    this.#deps.meter.count("bllvm_invocations_total", 1, { answer });
  }
}

function failure(error: string): InvocationReply {
  return { success: false, payload: null, error: error.slice(0, MOST_CHARACTERS) };
}
