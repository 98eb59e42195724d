import { expect, test } from "vitest";
import { addressFlaw, plugin } from "./index.ts";

// Both were paid by a real ela node: test/vectors/daemon-rpc.json, one-header-four-chains.json.
test.each(["EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrjE", "8ZNizBf4KhhPjeJRGpox6rPcHE5Np6tFx3"])("%s can be paid", (address) => {
  expect(addressFlaw(address)).toBeUndefined();
});

test.each([
  ["nonsense", "checksum"],
  ["", "checksum"],
  ["EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrjF", "checksum"],
  ["EeEkSiRMZqg5rd9a2yPaWnvdPcikFtsrJE", "checksum"],
  ["E".repeat(200), "checksum"],
  // Bitcoin's and Namecoin's: the checksum holds, the kind does not.
  ["1BoatSLRHtKNngkdXEeobR76b53LETtpyT", "begins with E or 8"],
  ["mtJJfCA4T1N6SpZrh27EUgu1QFPnmNPpiZ", "begins with E or 8"],
])("%s cannot: ela itself would take it without a word", (payout, sentence) => {
  expect(addressFlaw(payout)).toContain(sentence);
  const { error } = plugin.config.safeParse({ payout, daemons: [{ url: "http://127.0.0.1:20336" }] });
  expect(error?.issues.map(({ path }) => path.join("."))).toContain("payout");
});
