/**
 * Who is let in at the door: connections in all, and per subscriber (IPv4 address or IPv6 /64). A refused connection
 * is closed before a byte of it is read, so refusing costs next to nothing. There are no bans: a count that goes down
 * again when a connection closes needs no memory of the past and cannot lock out a farm behind one address.
 */
import { contains, type Network, parseIp, parseNetwork, subscriberKey } from "./ip.ts";

/** A network with its own limit per subscriber. */
export interface AdmissionNetwork {
  /** `10.0.0.0/8`, `2001:db8::/32` or one address. */
  readonly network: string;
  /** Connections that each address (IPv6: each /64) of it may hold; `undefined` for no limit but the total. */
  readonly maxConnections: number | undefined;
}

/** Options of `Admission`. */
export interface AdmissionOptions {
  /** Connections in all, whoever they belong to. */
  readonly connections: number;
  /** Connections of one subscriber. */
  readonly connectionsPerAddress: number;
  /** Exceptions; the first network that holds the address counts. Loopback is always exempt unless listed here. */
  readonly networks?: readonly AdmissionNetwork[];
}

/** An admitted connection. */
export interface Ticket {
  /** Whom the connection is counted for; equal for all connections of one subscriber. */
  readonly subscriber: bigint;
  /** Gives the place back; calling it again does nothing. */
  release(): void;
}

/** Why a connection was refused: the server is full, its subscriber has enough, or it has no address any more. */
export type Refusal = "total" | "address" | "gone";

const LOOPBACK: readonly AdmissionNetwork[] = [
  { network: "127.0.0.0/8", maxConnections: undefined },
  { network: "::1", maxConnections: undefined },
];

/** Counts connections. Memory is bounded by `connections`: a subscriber without a connection is forgotten. */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #networks: readonly { readonly network: Network; readonly maxConnections: number | undefined }[];
  readonly #bySubscriber = new Map<bigint, number>();
  #total = 0;

  /** Throws `Fault("network-invalid")` for a network that cannot be read. */
  constructor(_deps: object, options: AdmissionOptions) {
    this.#options = options;
    this.#networks = [...(options.networks ?? []), ...LOOPBACK].map(({ network, maxConnections }) => ({
      network: parseNetwork(network),
      maxConnections,
    }));
  }

  /** Connections admitted and not released. */
  get connections(): number {
    return this.#total;
  }

  /** Subscribers that are remembered. */
  get subscribers(): number {
    return this.#bySubscriber.size;
  }

  /** Lets a connection from `remoteAddress` (text, as the transport reports it) in, or says why not. */
  admit(remoteAddress: string): Ticket | Refusal {
    const ip = parseIp(remoteAddress);
    if (ip === undefined) return "gone";
    if (this.#total >= this.#options.connections) return "total";
    const subscriber = subscriberKey(ip);
    const held = this.#bySubscriber.get(subscriber) ?? 0;
    const exception = this.#networks.find(({ network }) => contains(network, ip));
    const limit = exception === undefined ? this.#options.connectionsPerAddress : exception.maxConnections;
    if (limit !== undefined && held >= limit) return "address";
    this.#total += 1;
    this.#bySubscriber.set(subscriber, held + 1);
    let released = false;
    return {
      subscriber,
      release: () => {
        if (released) return;
        released = true;
        this.#total -= 1;
        const left = (this.#bySubscriber.get(subscriber) ?? 0) - 1;
        if (left > 0) this.#bySubscriber.set(subscriber, left);
        else this.#bySubscriber.delete(subscriber);
      },
    };
  }
}
