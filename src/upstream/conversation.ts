/** What is said on a connection to a pool: the setup first, then channels and their work, and now and then to move elsewhere. */
import type { ClientConversation } from "../client/session.ts";
import type { Clock, Timer } from "../kernel/clock.ts";
import type { Log } from "../kernel/log.ts";
import { understand } from "../sv2/dialect.ts";
import type { Frame } from "../sv2/frame.ts";
import { common } from "../sv2/messages/common.ts";
import { extensions } from "../sv2/messages/extensions.ts";
import { mining } from "../sv2/messages/mining.ts";
import type { MiningMessage, UpstreamChannels } from "./channels.ts";
import type { PoolSetup, SetupMessage } from "./setup.ts";
import { violation } from "./violation.ts";

/** What waits is looked at this often, ms. */
const TICK_MS = 1_000;

const SPOKEN = [mining, common, extensions] as const;

/** What a conversation joins. */
export interface UpstreamConversationDeps {
  readonly clock: Pick<Clock, "every">;
  readonly log: Log;
  readonly setup: PoolSetup;
  readonly channels: UpstreamChannels;
  /** Called every second. */
  readonly onTick: () => void;
  /** The pool said something. */
  readonly onFrame: () => void;
  /** The pool asks us to connect elsewhere (spec 3.6.5). */
  readonly onReconnect: (host: string, port: number) => void;
  /** The connection is gone. Called once. */
  readonly onOver: () => void;
}

/** The conversation. */
export class UpstreamConversation implements ClientConversation {
  readonly #deps: UpstreamConversationDeps;
  #ticks: Timer | undefined;
  #isOver = false;

  constructor(deps: UpstreamConversationDeps) {
    this.#deps = deps;
  }

  /** As the port says. */
  start(): void {
    const { clock, setup, channels, onTick } = this.#deps;
    this.#ticks = clock.every(TICK_MS, () => {
      channels.expire();
      onTick();
    });
    setup.start();
  }

  /** As the port says. */
  receive(frame: Frame): void {
    if (this.#isOver) return;
    this.#deps.onFrame();
    const understood = understand(SPOKEN, frame, "client");
    if (understood.kind === "message") this.#take(understood.message);
    else this.#deps.log.debug("a message of the pool that we do not know was passed over", { ...understood });
  }

  /** As the port says. */
  close(reason: string): void {
    if (!this.#isOver) this.#deps.channels.closeAll(reason);
  }

  /** As the port says. */
  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#ticks?.cancel();
    this.#deps.setup.abandon();
    this.#deps.channels.abandon();
    this.#deps.onOver();
  }

  #take(message: SetupMessage | MiningMessage): void {
    const { setup, channels, onReconnect } = this.#deps;
    switch (message.name) {
      case "SetupConnectionSuccess":
      case "SetupConnectionError":
      case "RequestExtensionsSuccess":
      case "RequestExtensionsError":
      case "ChannelEndpointChanged":
      case "SetupConnection":
      case "RequestExtensions":
        setup.receive(message);
        return;
      case "Reconnect":
        onReconnect(message.value.newHost, message.value.newPort);
        return;
      default:
        if (!setup.isSetUp) throw violation("a message came before SetupConnection.Success", { message: message.name });
        channels.receive(message);
        return;
    }
  }
}
