/** Messages and frames: what a share costs before anybody looks at it, and what an answer costs. */
import { concat } from "../../src/kernel/bytes.ts";
import { understand } from "../../src/sv2/dialect.ts";
import { FrameDecoder } from "../../src/sv2/frame.ts";
import { common } from "../../src/sv2/messages/common.ts";
import { extensions } from "../../src/sv2/messages/extensions.ts";
import { mining } from "../../src/sv2/messages/mining.ts";
import { decodeUserIdentity, encodeUserIdentity } from "../../src/sv2/tlv.ts";
import { type Bench, repeated } from "./bench.ts";

const ids = { channelId: 1, sequenceNumber: 2, jobId: 3 };
const share = { ...ids, nonce: 0xdeadbeef, ntime: 1_795_000_000, version: 0x20000000, extranonce: new Uint8Array(8) };
const sharePayload = mining.encodePayload("SubmitSharesExtended", share);
const shareType = mining.row("SubmitSharesExtended").type;
const batch = { channelId: 1, lastSequenceNumber: 5, newSubmitsAcceptedCount: 10, newSharesSum: 10_000n };
const job = {
  channelId: 1,
  jobId: 2,
  minNtime: null,
  version: 0x20000000,
  versionRollingAllowed: true,
  merklePath: Array.from({ length: 12 }, () => new Uint8Array(32)),
  coinbaseTxPrefix: new Uint8Array(69),
  coinbaseTxSuffix: new Uint8Array(87),
};
const jobPayload = mining.encodePayload("NewExtendedMiningJob", job);
const jobType = mining.row("NewExtendedMiningJob").type;
const named = encodeUserIdentity("rack-7.unit-12");

const FRAMES = 500;
const frame = mining.encode("SubmitSharesExtended", share);
const stream = concat(...Array.from({ length: FRAMES }, () => frame));
const spoken = [mining, common, extensions];

/** Cuts a stream of shares into frames; with `decode` looks each up and decodes it too. */
function streaming(name: string, decode: boolean): Bench {
  const decoder = new FrameDecoder({}, { maxFrameSize: 65536 });
  return {
    name,
    ...(decode ? {} : { reference: SRI_DECODE }),
    run() {
      const frames = decoder.push(stream);
      if (decode) for (const one of frames) understand(spoken, one, "server");
      return frames.length;
    },
  };
}

/** What codec_sv2 publishes for plain frames (its BENCHES.md): encode 113 ns, decode 44 ns, fields not looked at. */
const SRI_ENCODE = "SRI codec_sv2, published: 113 ns";
const SRI_DECODE = "SRI codec_sv2, published: 44 ns, fields not decoded";

/** All benches of messages. */
export const messageBenches: Bench[] = [
  repeated("decode SubmitSharesExtended, 8 bytes of extranonce", 2_000, () => mining.decode(shareType, sharePayload)),
  repeated("encode SubmitSharesExtended, 8 bytes of extranonce", 2_000, () =>
    mining.encode("SubmitSharesExtended", share),
  ),
  repeated("encode SubmitShares.Success", 2_000, () => mining.encode("SubmitSharesSuccess", batch), SRI_ENCODE),
  repeated("decode NewExtendedMiningJob, 12 branches", 1_000, () => mining.decode(jobType, jobPayload)),
  repeated("encode NewExtendedMiningJob, 12 branches", 1_000, () => mining.encode("NewExtendedMiningJob", job)),
  repeated("decode the TLV of a worker's name", 2_000, () => decodeUserIdentity(named)),
  streaming("cut a plain stream of shares into frames", false),
  streaming("cut, look up and decode a plain stream of shares", true),
];
