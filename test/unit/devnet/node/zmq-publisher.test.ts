/** The ZMQ publisher's bytes against those recorded from Bitcoin Core 31.1's `-zmqpubhashblock`. */
import { describe, expect, test } from "vitest";
import { hashBlockMessage, PublisherConversation } from "../../../../src/devnet/node/zmq-publisher.ts";
import { concat, fromDisplayHex, fromHex, toHex, utf8 } from "../../../../src/kernel/bytes.ts";

// Recorded from Bitcoin Core 31.1 on regtest with a plain TCP client.
const CORE = {
  greeting: `ff00000000000000017f03014e554c4c${"00".repeat(48)}`,
  ready: "0552454144590b536f636b65742d5479706500000003505542",
  topic: "68617368626c6f636b",
  hash: "1d2419f151043d367a9d785b56dab3b96809f85cb7a67136f466f1d988effccd",
  sequence: "74000000",
};

/** What a ZMTP 3.0 subscriber sends: greeting, READY, subscription. */
const subscriber = (subscription: Uint8Array): Uint8Array => {
  const ready = concat(fromHex("0552454144590b536f636b65742d5479706500000003"), utf8("SUB"));
  return concat(
    fromHex(`ff00000000000000007f03004e554c4c${"00".repeat(48)}`),
    Uint8Array.of(4, ready.length),
    ready,
    subscription,
  );
};

const message = (body: Uint8Array): Uint8Array => concat(Uint8Array.of(0, body.length), body);
const command = (name: string, topic: string): Uint8Array => {
  const body = concat(Uint8Array.of(name.length), utf8(name), utf8(topic));
  return concat(Uint8Array.of(4, body.length), body);
};
const topic = (flag: number, text: string): Uint8Array => message(concat(Uint8Array.of(flag), utf8(text)));

describe("ZMTP", () => {
  test("opens as Core does", () => {
    const ready = `0419${CORE.ready}`;
    expect(toHex(new PublisherConversation().opening())).toBe(CORE.greeting + ready);
  });

  test("publishes as Core does", () => {
    const expected = `0109${CORE.topic}0120${CORE.hash}0004${CORE.sequence}`;
    expect(toHex(hashBlockMessage(fromDisplayHex(CORE.hash), 0x74))).toBe(expected);
  });

  test.each([
    ["the topic", topic(1, "hashblock"), true],
    ["everything", topic(1, ""), true],
    ["a prefix", topic(1, "hash"), true],
    ["another topic", topic(1, "rawtx"), false],
    ["a longer topic", topic(1, "hashblock2"), false],
    ["the topic by ZMTP 3.1's command", command("SUBSCRIBE", "hashblock"), true],
    ["it and takes it back", concat(topic(1, "hashblock"), topic(0, "hashblock")), false],
    ["it and cancels it", concat(command("SUBSCRIBE", "hash"), command("CANCEL", "hash")), false],
    ["nothing yet", new Uint8Array(), false],
  ])("hears that a peer wants %s", (_, subscription, subscribed) => {
    const whole = new PublisherConversation();
    expect(whole.receive(subscriber(subscription))).toBe(true);
    expect(whole.subscribed).toBe(subscribed);
    const byBytes = new PublisherConversation();
    for (const byte of subscriber(subscription)) expect(byBytes.receive(Uint8Array.of(byte))).toBe(true);
    expect(byBytes.subscribed).toBe(subscribed);
  });

  test.each([
    ["HTTP", utf8("GET / HTTP/1.1\r\n\r\n")],
    ["ZMTP 2", fromHex(`ff00000000000000017f01${"00".repeat(53)}`)],
    ["a long frame", concat(subscriber(new Uint8Array()), fromHex("02ffffffffffffffff"))],
    ["a message in parts", concat(subscriber(new Uint8Array()), fromHex("010101"))],
  ])("hangs up on %s", (_, bytes) => {
    expect(new PublisherConversation().receive(bytes)).toBe(false);
  });
});
