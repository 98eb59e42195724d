import { describe, expect, test } from "vitest";
import { Admission, type AdmissionOptions, type Ticket } from "../../../src/pool/admission.ts";

function admission(options: Partial<AdmissionOptions> = {}): Admission {
  return new Admission({}, { connections: 1000, connectionsPerAddress: 2, ...options });
}

/** Admits or fails the test. */
function admitted(door: Admission, address: string): Ticket {
  const ticket = door.admit(address);
  if (typeof ticket === "string") throw new Error(`${address} was refused: ${ticket}`);
  return ticket;
}

describe("Admission", () => {
  test("the last place in all is given, the next refused, and a place given back serves again", () => {
    const door = admission({ connections: 3, connectionsPerAddress: 10 });
    const tickets = ["192.0.2.1", "192.0.2.2", "2001:db8::1"].map((address) => admitted(door, address));
    expect(door.admit("192.0.2.4")).toBe("total");
    expect(door.connections).toBe(3);
    tickets[0]?.release();
    tickets[0]?.release();
    expect(door.connections).toBe(2);
    admitted(door, "192.0.2.4");
    expect(door.admit("192.0.2.5")).toBe("total");
  });

  test("counts by IPv4 address, mapped ones too", () => {
    const door = admission();
    const first = admitted(door, "192.0.2.1");
    admitted(door, "::ffff:192.0.2.1");
    expect(door.admit("192.0.2.1")).toBe("address");
    admitted(door, "192.0.2.2");
    first.release();
    admitted(door, "192.0.2.1");
  });

  test("counts by IPv6 /64", () => {
    const door = admission();
    admitted(door, "2001:db8::1");
    admitted(door, "2001:db8::ffff:1");
    expect(door.admit("2001:db8::2")).toBe("address");
    admitted(door, "2001:db8:0:1::2");
  });

  test("loopback has no limit but the total", () => {
    const door = admission({ connections: 6 });
    for (let i = 0; i < 3; i++) {
      admitted(door, "127.0.0.1");
      admitted(door, "::1");
    }
    expect(door.admit("127.0.0.1")).toBe("total");
  });

  test("a configured network has its own limit, or none; the first match counts", () => {
    const door = admission({
      networks: [
        { network: "10.1.0.0/16", maxConnections: 3 },
        { network: "10.0.0.0/8", maxConnections: undefined },
        { network: "127.0.0.1", maxConnections: 1 },
      ],
    });
    for (let i = 0; i < 3; i++) admitted(door, "10.1.2.3");
    expect(door.admit("10.1.2.3")).toBe("address");
    for (let i = 0; i < 10; i++) admitted(door, "10.2.0.1");
    admitted(door, "127.0.0.1");
    expect(door.admit("127.0.0.1")).toBe("address");
  });

  test("remembers nobody who left, so a scan of the address space leaves no trace", () => {
    const door = admission({ connections: 10 });
    for (let i = 0; i < 5000; i++) admitted(door, `198.${i % 200}.${i >> 8}.${i & 255}`).release();
    expect(door.subscribers).toBe(0);
    expect(door.connections).toBe(0);
  });

  test("a socket whose peer hung up already has no address", () => {
    expect(admission().admit("")).toBe("gone");
  });

  test("an unreadable network is the operator's mistake", () => {
    expect(() => admission({ networks: [{ network: "10.0.0.0/40", maxConnections: 1 }] })).toThrow(
      expect.objectContaining({ code: "network-invalid" }),
    );
  });
});
