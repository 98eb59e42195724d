/** A server's transports: all of them listen, or none. */
import type { Unsubscribe } from "../kernel/events.ts";
import type { Log } from "../kernel/log.ts";
import type { Meter } from "../kernel/meter.ts";
import type { Door } from "./door.ts";
import type { Stream, Transport } from "./transport.ts";

/** What listens, and who is told of trouble. */
export interface ListenDeps {
  readonly transports: readonly Transport[];
  readonly door: Pick<Door, "tryTell">;
  readonly log: Log;
  readonly meter: Meter;
  /** Takes a stream; `isSecured`: Noise is to be spoken on it. */
  readonly accept: (stream: Stream, isSecured: boolean) => void;
}

/** Starts the transports; the result ends only that streams are taken. Throws `Fault("listen-failed")`; those that listened already are stopped again. */
export async function listen(
  { transports, door, log, meter, accept }: ListenDeps,
  signal: AbortSignal,
): Promise<Unsubscribe> {
  const subscriptions: Unsubscribe[] = [];
  const unsubscribe = (): void => {
    for (const each of subscriptions.splice(0)) each();
  };
  // Out of file descriptors: every attempt to connect fails so, and the log tells it now and then.
  const onTrouble = (error: Error): void => {
    meter.count("connections_refused_total", 1, { reason: "system" });
    const level = door.tryTell() ? "warn" : "debug";
    log[level](`a connection could not be accepted: ${error.message}; see \`ulimit -n\``, { error });
  };
  const started: Transport[] = [];
  try {
    for (const transport of transports) {
      subscriptions.push(transport.onStream((stream) => accept(stream, transport.noise)));
      subscriptions.push(transport.onTrouble(onTrouble));
      await transport.start(signal);
      started.push(transport);
    }
  } catch (error) {
    unsubscribe();
    for (const transport of started) await transport.stop();
    throw error;
  }
  return unsubscribe;
}
