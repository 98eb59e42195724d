/**
 * One served connection: the subscription, and the way of every message between the wire and those whom it concerns. Events are
 * subscribed to once, with the whole list: the node keeps every subscription that it ever got and sends an event for each.
 */
import { printable } from "../../../daemon/rpc-failure.ts";
import type { Clock, Timer } from "../../../kernel/clock.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { Meter } from "../../../kernel/meter.ts";
import { type ModuleMessage, type WireCodec, wireCodec } from "../wire/codec.ts";
import type { Schema } from "../wire/schema.ts";
import type { Calls } from "./calls.ts";
import type { Connection } from "./connection.ts";
import { type NodeEvent, nodeEvent, SUBSCRIBED } from "./events.ts";
import type { InvocationReply, Invocations } from "./invocations.ts";
import type { LogLines } from "./log-lines.ts";
import type { Pace } from "./pacing.ts";
import type { Spelling } from "./spelling.ts";
import type { Suspicion } from "./suspicion.ts";

/** Ms for the answer to the subscription; the node serves us already, so this takes no waiting for others. */
const SUBSCRIBE_MS = 30_000;
/** `ModuleMessage::Response`, and the bytes in front of what differs between versions: kind and correlation id. */
const RESPONSE = 1;
const ENVELOPE_SIZE = 12;

/** What a session works with. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly calls: Calls;
  readonly pace: Pace;
  readonly suspicion: Suspicion;
  readonly lines: LogLines;
  readonly invocations: Invocations;
}

/** Which connection, and what is spoken on it. */
export interface SessionOptions {
  readonly connection: Connection;
  readonly moduleName: string;
  readonly schema: Schema;
  readonly spelling: Spelling;
}

/** What a session tells. */
export interface SessionEvents {
  /** The subscription stands: requests may be sent. */
  onReady(): void;
  onEvent(event: NodeEvent): void;
}

/** One served connection. */
export class Session {
  readonly #deps: SessionDeps;
  readonly #options: SessionOptions;
  readonly #events: SessionEvents;
  readonly #codecs = new Map<Schema, WireCodec>();
  #subscribing: { readonly id: bigint; readonly timer: Timer } | undefined;
  #isMute = false;

  constructor(deps: SessionDeps, options: SessionOptions, events: SessionEvents) {
    this.#deps = deps;
    this.#options = options;
    this.#events = events;
  }

  /** Whether the node has yet to take the subscription. */
  get isSubscribing(): boolean {
    return this.#subscribing !== undefined;
  }

  /** Subscribes. Call it once, at once. */
  subscribe(): void {
    const { connection, schema } = this.#options;
    const codec = this.#codec(schema);
    const id = this.#deps.calls.id();
    const timer = this.#deps.clock.after(SUBSCRIBE_MS, () => {
      connection.end("fault", new Fault("bllvm-away", { reason: "it does not answer the subscription" }));
    });
    this.#subscribing = { id, timer };
    this.#deps.pace.spend();
    const eventTypes = SUBSCRIBED.filter((name) => codec.has("event", name));
    this.#write(schema, {
      type: "Request",
      correlationId: id,
      request: { name: "SubscribeEvents", value: { eventTypes } },
    });
  }

  /** A message of the node. Throws `Fault("bllvm-message-invalid")`. */
  onPayload(payload: Uint8Array): void {
    this.#deps.calls.heard();
    const sent = this.#sentFor(payload);
    const message = this.#decode(payload, sent);
    if (message.type === "Response") this.#onResponse(message, sent);
    else if (message.type === "Event") this.#onEvent(message);
    else if (message.type === "Invocation") this.#onInvocation(message);
    else this.#ignore("other");
  }

  /** Nothing is written any more. */
  mute(): void {
    this.#isMute = true;
    this.#deps.calls.mute();
    this.#deps.lines.outlet = undefined;
  }

  /** The connection is gone. `byNode`: closed by the node, perhaps because of what was asked. */
  end(byNode: boolean): void {
    const isInnocent = this.#isMute;
    this.mute();
    this.#subscribing?.timer.cancel();
    this.#deps.calls.close(byNode && !isInnocent);
  }

  #onResponse(message: Extract<ModuleMessage, { type: "Response" }>, sent: ReturnType<Calls["sentAs"]>): void {
    if (message.correlationId === this.#subscribing?.id) {
      this.#onSubscribed(message);
      return;
    }
    if (sent !== undefined && message.success) this.#options.spelling.proved(sent.operation, sent.attempt);
    if (!this.#deps.calls.answer(message.correlationId, message)) this.#ignore("answer");
  }

  #onSubscribed({ payload, error }: Extract<ModuleMessage, { type: "Response" }>): void {
    if (payload?.name !== "SubscribeAck") {
      throw new Fault("bllvm-message-invalid", {
        reason: `the subscription was refused: ${printable(error ?? "no words")}`,
      });
    }
    this.#subscribing?.timer.cancel();
    this.#subscribing = undefined;
    // The node has the subscription before it answers: NodeShutdown may have come first.
    if (this.#isMute) return;
    const { connection, spelling, schema, moduleName } = this.#options;
    this.#deps.calls.open({
      send: (correlationId, request, attempt) => {
        const way = spelling.of(request.name)[attempt] ?? schema;
        this.#write(way, { type: "Request", correlationId, request });
      },
      giveUp: (reason) => connection.end("fault", new Fault("bllvm-away", { reason })),
    });
    if (this.#codec(schema).has("message", "Log")) {
      this.#deps.lines.outlet = {
        get bufferedBytes() {
          return connection.bufferedBytes;
        },
        send: (line) => this.#write(schema, { type: "Log", moduleId: moduleName, ...line }),
      };
    }
    this.#events.onReady();
  }

  #onEvent(message: Extract<ModuleMessage, { type: "Event" }>): void {
    const event = nodeEvent(message.event);
    if (event === undefined) this.#ignore("event");
    else this.#events.onEvent(event);
  }

  #onInvocation({ correlationId, invocation }: Extract<ModuleMessage, { type: "Invocation" }>): void {
    const answer = (reply: InvocationReply): void => {
      if (!this.#isMute) this.#write(this.#options.schema, { type: "InvocationResult", correlationId, ...reply });
    };
    this.#deps.invocations.answer(invocation, (reply) => {
      try {
        answer(reply);
      } catch {
        // The handler's answer has a value that the wire cannot carry.
        answer({ success: false, payload: null, error: "this module's answer cannot be written" });
      }
    });
  }

  /** A request that was written as another version does is answered as that version does. */
  #decode(payload: Uint8Array, sent: ReturnType<Calls["sentAs"]>): ModuleMessage {
    const { schema, spelling } = this.#options;
    const way = sent === undefined ? undefined : spelling.of(sent.operation)[sent.attempt];
    try {
      return this.#codec(way ?? schema).decode(payload);
    } catch (error) {
      if (sent !== undefined) this.#deps.suspicion.garbled(sent.operation);
      throw error;
    }
  }

  /** The request that the message answers, if it is an answer: this much is the same in every version. */
  #sentFor(payload: Uint8Array): ReturnType<Calls["sentAs"]> {
    if (payload.length < ENVELOPE_SIZE) return undefined;
    const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
    return view.getUint32(0, true) === RESPONSE ? this.#deps.calls.sentAs(view.getBigUint64(4, true)) : undefined;
  }

  #write(schema: Schema, message: ModuleMessage): void {
    if (this.#isMute) return;
    this.#options.connection.write(this.#codec(schema).encode(message));
  }

  #codec(schema: Schema): WireCodec {
    let codec = this.#codecs.get(schema);
    if (codec === undefined) {
      codec = wireCodec(schema);
      this.#codecs.set(schema, codec);
    }
    return codec;
  }

  #ignore(kind: "answer" | "event" | "other"): void {
    this.#deps.meter.count("bllvm_ignored_total", 1, { kind });
  }
}
