/**
 * A miner who finds what a test asks for and keeps accounts of it: how many of its shares were accepted on jobs that commit to which chains.
 * For servers that acknowledge every share.
 */
import { encodeUserIdentity } from "../../src/sv2/tlv.ts";
import type { MergeWorld } from "./merge-world.ts";
import type { Fields, Message } from "./messages.ts";
import { MockChannel, type Wanted } from "./mock-channel.ts";
import { pause } from "./until.ts";

/** Who it says it is. */
export interface CountingMinerOptions {
  /** Of its channel. */
  readonly userIdentity: string;
  /** Names this worker in every share (extension 0x0002). */
  readonly worker?: string;
}

/** A miner with one extended channel. */
export class CountingMiner {
  /** Accepted shares by the chains of their jobs, names in order with commas; `""` for Bitcoin alone. */
  readonly counted = new Map<string, number>();
  /** Ms from sending a share to its answer, of all shares. */
  readonly latencies: number[] = [];
  readonly #world: MergeWorld;
  readonly #channel: MockChannel;
  readonly #tlv: Uint8Array | undefined;
  readonly #future = new Map<number, Fields<"NewExtendedMiningJob">>();
  #read: number;
  #chains = "";

  private constructor(world: MergeWorld, channel: MockChannel, worker: string | undefined) {
    this.#world = world;
    this.#channel = channel;
    this.#tlv = worker === undefined ? undefined : encodeUserIdentity(worker);
    this.#read = channel.miner.inbox.all.length;
  }

  /** Connects, negotiates the extension if it names a worker, and opens the channel. */
  static async open(world: MergeWorld, { userIdentity, worker }: CountingMinerOptions): Promise<CountingMiner> {
    const miner = await world.miner();
    if (worker !== undefined) {
      miner.send("RequestExtensions", { requestId: 1, requestedExtensions: [2] });
      await miner.expect("RequestExtensionsSuccess");
    }
    return new CountingMiner(world, await MockChannel.extended(miner, { userIdentity }), worker);
  }

  /** Accepted shares. */
  get shares(): number {
    return [...this.counted.values()].reduce((sum, shares) => sum + shares, 0);
  }

  /** Takes the server's newest job, which must come to rest within ten seconds. */
  async follow(): Promise<void> {
    const deadline = performance.now() + 10_000;
    for (;;) {
      const { job } = await this.#world.status();
      this.#take();
      if (job !== undefined && job.id === this.#channel.job.fields.jobId) {
        this.#chains = [...job.chains].sort().join(",");
        return;
      }
      if (performance.now() > deadline) {
        throw new Error(`the newest job is ${job?.id}, the channel has ${this.#channel.job.fields.jobId}`);
      }
      await pause(10);
    }
  }

  /** Finds shares as wanted on the job that was followed last, sends each and waits until it is accepted. Returns the last one's header. */
  async mine(shares: number, wanted: Wanted): Promise<Uint8Array> {
    let header = new Uint8Array(0);
    for (let i = 0; i < shares; i++) {
      const share = this.#channel.find(wanted);
      const sentMs = performance.now();
      this.#channel.submit(share, this.#tlv);
      await this.#channel.miner.next("SubmitSharesSuccess");
      this.latencies.push(performance.now() - sentMs);
      this.counted.set(this.#chains, (this.counted.get(this.#chains) ?? 0) + 1);
      header = share.header as Uint8Array<ArrayBuffer>;
    }
    return header;
  }

  /** Reads what came since the last time, as firmware does. */
  #take(): void {
    const { all } = this.#channel.miner.inbox;
    for (; this.#read < all.length; this.#read++) this.#hear(all[this.#read] as Message);
  }

  #hear({ name, value }: Message): void {
    if (name === "NewExtendedMiningJob") {
      if (!this.#isOurs(value.channelId)) return;
      if (value.minNtime === null) this.#future.set(value.jobId, value);
      else this.#channel.job = { kind: "extended", fields: value };
    } else if (name === "SetNewPrevHash") {
      const fields = this.#future.get(value.jobId);
      if (!this.#isOurs(value.channelId) || fields === undefined) return;
      this.#channel.prevHash = value;
      this.#channel.job = { kind: "extended", fields };
      this.#future.clear();
    }
  }

  #isOurs(id: number): boolean {
    return id === this.#channel.channelId || id === this.#channel.groupChannelId;
  }
}
