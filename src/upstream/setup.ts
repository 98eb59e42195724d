/**
 * The first words on a connection to a pool: SetupConnection (spec 3.6), then which extensions may be used (extension 0x0001). Extensions are
 * negotiated again when the other end of a channel changed (spec 3.6.4).
 */
import type { Clock, Timer } from "../kernel/clock.ts";
import { Fault } from "../kernel/fault.ts";
import type { Log } from "../kernel/log.ts";
import { peerText } from "../kernel/peer-text.ts";
import { MINING_FLAGS, MINING_SUCCESS_FLAGS, PROTOCOL, PROTOCOL_VERSION } from "../sv2/codes.ts";
import { common } from "../sv2/messages/common.ts";
import { extensions, WORKER_TRACKING_TYPE } from "../sv2/messages/extensions.ts";
import type { Decoded } from "../sv2/table.ts";
import { violation } from "./violation.ts";

/** How long an answer about extensions is waited for, ms; a pool that does not know 0x0001 gives none (0x0001 §4.3). */
const EXTENSIONS_TIMEOUT_MS = 2_000;

/** Messages that belong to the setup. */
export type SetupMessage = Decoded<typeof common.table> | Decoded<typeof extensions.table>;

/** What the setup works with. */
export interface PoolSetupDeps {
  readonly clock: Pick<Clock, "after">;
  readonly log: Log;
  readonly send: (frame: Uint8Array) => void;
  /** SetupConnection.Success came. */
  readonly onSetUp: () => void;
  /** Channels may be opened. Called once. */
  readonly onDone: () => void;
}

/** What we say of ourselves and ask for. */
export interface PoolSetupOptions {
  readonly pool: string;
  readonly host: string;
  readonly port: number;
  readonly requiresVersionRolling: boolean;
  /** Whether we will set jobs of our own (SetCustomMiningJob). */
  readonly requiresWorkSelection?: boolean;
  readonly workerNames: boolean;
}

/** The setup. */
export class PoolSetup {
  readonly #deps: PoolSetupDeps;
  readonly #options: PoolSetupOptions;
  #flags: number | undefined;
  #extensions: readonly number[] = [];
  #requestId = 0;
  #isDone = false;
  #timer: Timer | undefined;

  constructor(deps: PoolSetupDeps, options: PoolSetupOptions) {
    this.#deps = deps;
    this.#options = options;
  }

  /** Whether the pool accepted the connection. */
  get isSetUp(): boolean {
    return this.#flags !== undefined;
  }

  /** Whether the pool takes no version but the job's own. */
  get requiresFixedVersion(): boolean {
    return ((this.#flags ?? 0) & MINING_SUCCESS_FLAGS.requiresFixedVersion) !== 0;
  }

  /** Extensions in use. */
  get extensions(): readonly number[] {
    return this.#extensions;
  }

  /** Says hello. */
  start(): void {
    const { host, port, requiresVersionRolling, requiresWorkSelection = false } = this.#options;
    this.#deps.send(
      common.encode("SetupConnection", {
        protocol: PROTOCOL.mining,
        minVersion: PROTOCOL_VERSION,
        maxVersion: PROTOCOL_VERSION,
        flags:
          (requiresVersionRolling ? MINING_FLAGS.requiresVersionRolling : 0) |
          (requiresWorkSelection ? MINING_FLAGS.requiresWorkSelection : 0),
        endpointHost: host.slice(0, 255),
        endpointPort: port,
        vendor: "bllvm-stratum-v2",
        hardwareVersion: "",
        firmware: "",
        deviceId: "",
      }),
    );
  }

  /** Takes a message of the setup. Throws `Fault` when it ends the connection. */
  receive(message: SetupMessage): void {
    switch (message.name) {
      case "SetupConnectionSuccess": {
        const { usedVersion, flags } = message.value;
        if (this.isSetUp) throw violation("SetupConnection.Success came twice", {});
        if (usedVersion !== PROTOCOL_VERSION) throw violation("the server chose another version", { usedVersion });
        this.#flags = flags;
        this.#deps.onSetUp();
        if (this.#options.workerNames) this.#request();
        else this.#done();
        return;
      }
      case "SetupConnectionError": {
        const { errorCode, flags } = message.value;
        throw new Fault("upstream-setup-refused", { pool: this.#options.pool, errorCode: peerText(errorCode), flags });
      }
      case "RequestExtensionsSuccess":
        this.#negotiated(message.value.requestId, message.value.supportedExtensions);
        return;
      case "RequestExtensionsError": {
        const lacking = message.value.requiredExtensions.filter((type) => !this.#asked().includes(type));
        if (lacking.length > 0) {
          const { pool } = this.#options;
          throw new Fault("upstream-extension-required", { pool, extensions: lacking.map(hex).join(" ") });
        }
        this.#negotiated(message.value.requestId, []);
        return;
      }
      case "ChannelEndpointChanged":
        if (!this.#isDone || !this.#options.workerNames) return;
        this.#extensions = [];
        this.#request();
        return;
      default:
        return;
    }
  }

  /** The connection is gone. */
  abandon(): void {
    this.#timer?.cancel();
  }

  #asked(): readonly number[] {
    return this.#options.workerNames ? [WORKER_TRACKING_TYPE] : [];
  }

  #request(): void {
    this.#requestId = (this.#requestId + 1) & 0xffff;
    const requestedExtensions = this.#asked();
    this.#deps.send(extensions.encode("RequestExtensions", { requestId: this.#requestId, requestedExtensions }));
    this.#timer?.cancel();
    this.#timer = this.#deps.clock.after(EXTENSIONS_TIMEOUT_MS, () => {
      this.#deps.log.info("the pool does not negotiate extensions; going on without");
      this.#done();
    });
  }

  /** Also takes an answer that comes when we have gone on without. */
  #negotiated(requestId: number, supported: readonly number[]): void {
    // An older answer is of the channel's former end.
    if (!this.isSetUp || requestId !== this.#requestId) return;
    this.#extensions = this.#asked().filter((type) => supported.includes(type));
    this.#done();
  }

  #done(): void {
    this.#timer?.cancel();
    if (this.#isDone) return;
    this.#isDone = true;
    this.#deps.onDone();
  }
}

function hex(type: number): string {
  return `0x${type.toString(16).padStart(4, "0")}`;
}
