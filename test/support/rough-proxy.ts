/** What happens to connections: a TCP proxy that passes bytes on until a test has it cut, stall or spoil them. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { onTestFinished } from "vitest";

/** A proxy in front of one server. */
export class RoughProxy {
  readonly #server: Server;
  readonly #pairs = new Map<Socket, Socket>();
  #stalls = false;
  #refuses = false;

  private constructor(upstream: string) {
    const at = upstream.lastIndexOf(":");
    const to = { host: upstream.slice(0, at), port: Number(upstream.slice(at + 1)), noDelay: true };
    this.#server = createServer({ noDelay: true }, (client) => {
      client.on("error", () => undefined);
      if (this.#refuses) {
        client.resetAndDestroy();
        return;
      }
      const server = connect(to);
      server.on("error", () => client.destroy());
      this.#pairs.set(client, server);
      client.on("data", (bytes) => {
        if (!this.#stalls) server.write(bytes);
      });
      server.on("data", (bytes) => {
        if (!this.#stalls) client.write(bytes);
      });
      client.on("close", () => {
        this.#pairs.delete(client);
        server.destroy();
      });
      server.on("close", () => {
        if (!this.#stalls) client.destroy();
      });
    });
  }

  /** Listens on a free loopback port until the test ends. */
  static async start(upstream: string): Promise<RoughProxy> {
    const proxy = new RoughProxy(upstream);
    await new Promise<void>((resolve) => void proxy.#server.listen(0, "127.0.0.1", resolve));
    onTestFinished(async () => {
      proxy.#cut();
      await new Promise<void>((resolve) => void proxy.#server.close(() => resolve()));
    });
    return proxy;
  }

  /** `host:port` for clients. */
  get address(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Open connections. */
  get connections(): number {
    return this.#pairs.size;
  }

  /** Resets every connection, and each that comes, as the host of a killed program does. */
  kill(): void {
    this.#refuses = true;
    this.#cut();
  }

  /** Nothing passes in either direction, though connections stay and are taken, as with a program that was stopped. */
  hang(): void {
    this.#stalls = true;
  }

  /** Sends bytes to every client that are no answer to anything. */
  spoil(bytes: Uint8Array): void {
    for (const client of this.#pairs.keys()) client.write(bytes);
  }

  /** Passes everything on again; what hung is cut. */
  recover(): void {
    if (this.#stalls) this.#cut();
    this.#stalls = false;
    this.#refuses = false;
  }

  #cut(): void {
    for (const client of this.#pairs.keys()) client.resetAndDestroy();
  }
}
