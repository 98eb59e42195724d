/**
 * The network that the bandwidth bench counts on. In a network namespace of its own nothing but the bench is counted, and the kernel
 * says how many IP packets and bytes there were: headers, handshakes and bare acknowledgements included.
 *
 * A day must not take a day, so time is left out between two messages, and nothing else: a message is written when the one before it
 * was delivered and acknowledged by TCP, as it would have been long ago on a real link. Packets are therefore as many as with hours between them.
 */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

/** IP packets, and their bytes with all headers, both ways. */
export interface IpCount {
  readonly packets: number;
  readonly bytes: number;
}

/** What carries the bench's messages. */
export interface Network {
  /** Resolves when everything that was written is delivered, answered and acknowledged. */
  settle(): Promise<void>;
  /** Counted since the namespace was made; `undefined` where no one else's packets can be told from ours. */
  count(): IpCount | undefined;
}

/** How a network of one's own is waited for. */
export interface OwnNetworkOptions {
  /** Time without a packet that has to pass as well, ms: 0 over TCP, whose queues tell; more where nothing is to be hurried. */
  readonly quietMs: number;
}

/** Looks at the queues right after one another; what is still missing then waits for a timer of TCP's. */
const EAGER_LOOKS = 8;

/** A network namespace of this process's own, as `own-network.ts` makes it. */
export function ownNetwork(_deps: object, { quietMs }: OwnNetworkOptions): Network {
  const count = (): IpCount => ({
    packets: counter("/proc/net/snmp", "Ip:", "InReceives"),
    bytes: counter("/proc/net/netstat", "IpExt:", "InOctets"),
  });
  return {
    async settle() {
      // Once more after the queues are empty: what was read last may have caused an answer.
      for (let empty = 0, looks = 0; empty < 2; looks++) {
        await (looks < EAGER_LOOKS ? turn() : sleep(1));
        empty = queuesAreEmpty() ? empty + 1 : 0;
      }
      if (quietMs === 0) return;
      for (let before = -1, { packets } = count(); packets !== before; { packets } = count()) {
        before = packets;
        await sleep(quietMs);
      }
    },
    count,
  };
}

/** Loopback among others: messages are delivered one after the other, packets are not counted. */
export function sharedNetwork(): Network {
  return {
    async settle() {
      // Loopback hands over within the system call that writes, so a turn of the loop reads it and the next one the answer.
      for (let i = 0; i < 4; i++) await turn();
    },
    count: () => undefined,
  };
}

/** What was counted between two looks. */
export function difference(after: IpCount | undefined, before: IpCount | undefined): IpCount | undefined {
  if (after === undefined || before === undefined) return undefined;
  return { packets: after.packets - before.packets, bytes: after.bytes - before.bytes };
}

function turn(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}

/** Whether no socket has bytes that are unread or that TCP has not acknowledged. */
function queuesAreEmpty(): boolean {
  return !/^ *\d+: \S+ \S+ \S+ (?!00000000:00000000)/m.test(readFileSync("/proc/net/tcp", "latin1"));
}

/** A counter of Linux's two-line tables: names, then values. */
function counter(file: string, table: string, name: string): number {
  const [names, values] = readFileSync(file, "latin1")
    .split("\n")
    .filter((line) => line.startsWith(table))
    .map((line) => line.split(" "));
  const value = Number(values?.[names?.indexOf(name) ?? -1]);
  if (Number.isNaN(value)) throw new Error(`${file} has no ${table} ${name}`);
  return value;
}
