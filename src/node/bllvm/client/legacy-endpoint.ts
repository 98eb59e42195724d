/**
 * What the oldest nodes (N0 to N2) expect of a module that they start: it listens on `--socket-path` within five seconds, and every
 * five seconds it answers a question there, within two. The questions carry nothing that matters; an answer says that we live.
 * Source: bllvm-node `src/module/process/spawner.rs` 97-176, `src/module/process/monitor.rs`.
 */
import type { ListenUnix, SocketEvents, UnixServer, UnixSocket } from "../../../daemon/socket.ts";
import { Fault } from "../../../kernel/fault.ts";
import type { Part } from "../../../kernel/lifecycle.ts";
import type { Log } from "../../../kernel/log.ts";
import { type ModuleMessage, wireCodec } from "../wire/codec.ts";
import { FrameSlicer } from "../wire/frames.ts";

/** Connections at once: the node has one, and one more while it restarts. */
const MOST_CONNECTIONS = 4;
/** Longest question: each is a few bytes. */
const MAX_PAYLOAD = 64 << 10;
/** Unsent bytes of answers above which the peer does not read. */
const MOST_BUFFERED = 64 << 10;

/** A question and its answer are the same in N0, N1 and N2. */
const CODEC = wireCodec("n2");

/** What the endpoint needs. */
export interface LegacyEndpointDeps {
  /** `listenUnix` in production. */
  readonly listen: ListenUnix;
  readonly log: Log;
  /** Hash of the tip as we know it, internal byte order. */
  readonly tipHash: () => Uint8Array | undefined;
}

/** Answers an older node's questions whether we live. */
export class LegacyEndpoint implements Part {
  readonly name = "bllvm heartbeat";
  readonly #deps: LegacyEndpointDeps;
  readonly #path: string;
  readonly #connections = new Set<UnixSocket>();
  #server: UnixServer | undefined;

  /** `path`: what the node named by `--socket-path`. */
  constructor(deps: LegacyEndpointDeps, options: { readonly path: string }) {
    this.#deps = deps;
    this.#path = options.path;
  }

  /** Throws `Fault("bllvm-socket-path")`. */
  async start(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    try {
      this.#server = await this.#deps.listen(this.#path, (socket) => this.#accept(socket));
    } catch (cause) {
      throw new Fault("bllvm-socket-path", { path: this.#path }, { cause });
    }
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }

  #accept(socket: UnixSocket): Omit<SocketEvents, "onOpen"> {
    const slicer = new FrameSlicer({ maxPayload: MAX_PAYLOAD });
    if (this.#connections.size >= MOST_CONNECTIONS) socket.destroy();
    else this.#connections.add(socket);
    return {
      onData: (bytes) => {
        if (!this.#connections.has(socket)) return;
        try {
          for (const payload of slicer.push(bytes)) this.#answer(socket, payload);
        } catch (error) {
          this.#deps.log.debug("a connection to the heartbeat's socket said what no node says", { error });
          this.#drop(socket);
        }
      },
      onClose: () => void this.#connections.delete(socket),
    };
  }

  #answer(socket: UnixSocket, payload: Uint8Array): void {
    const message = CODEC.decode(payload);
    if (message.type !== "Request") return;
    if (socket.bufferedBytes > MOST_BUFFERED) this.#drop(socket);
    else socket.write(CODEC.encode(this.#answerTo(message)));
  }

  #answerTo({ correlationId, request }: Extract<ModuleMessage, { type: "Request" }>): ModuleMessage {
    const hash = request.name === "GetChainTip" ? this.#deps.tipHash() : undefined;
    if (hash !== undefined) {
      const payload = { name: "Hash", value: { hash } } as const;
      return { type: "Response", correlationId, success: true, payload, error: null };
    }
    const error = request.name === "GetChainTip" ? "no tip is known yet" : "a module answers only whether it lives";
    return { type: "Response", correlationId, success: false, payload: null, error };
  }

  #drop(socket: UnixSocket): void {
    this.#connections.delete(socket);
    socket.destroy();
  }
}
