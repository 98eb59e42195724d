/** Keys of pool mode, and of the transports besides TCP. */
import { z } from "zod";
import { hostPort, key, seconds, section, sections, whole } from "./rows.ts";

/** Sections by name, in the order of the example. */
export const POOL_SECTIONS = {
  pools: sections(
    "Upstream pools in order of preference, for pool mode (docs/pool-mode.md). The first that works is mined for; the others wait for it to fail.",
    {
      name: key(
        z.string().min(1).max(60).optional(),
        "Name in logs and metrics; host and port when left out.",
        '"main"',
      ),
      url: key(
        z.string().min(1).max(500),
        "Address as the pool publishes it. Besides stratum2+tcp:// there are stratum2+tls:// and stratum2+quic:// (docs/transports.md).",
        '"stratum2+tcp://pool.example.com:3333/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72"',
      ),
      user: key(
        z.string().min(1).max(255).optional(),
        "Whom this pool credits; `user` of [upstream] when left out.",
        '"account.farm"',
      ),
      jds: key(
        z.string().min(1).max(500).optional(),
        "Address of the pool's Job Declaration Server. With it the pool's miners mine templates of ours, with the commitments of all our auxiliary chains (docs/job-declaration.md).",
        '"stratum2+tcp://pool.example.com:34264/9auqWEzQDVyd2oe1JVGFLMLHZtCo2FFqZwtKA5gd9xbuEu7PH72"',
      ),
    },
  ),
  upstream: section("How we are a client of the pools above. Without pool_url and [[pools]] none of it matters.", {
    user: key(
      z.string().min(1).max(255).optional(),
      "User identity of our channels at the pools: the account, or the address, that they credit. Required in pool mode.",
      '"account.farm"',
    ),
    channels: key(
      z.enum(["aggregated", "per_miner"]).default("aggregated"),
      "aggregated: one extended channel at the pool for everybody below. per_miner: one for each channel below, with the miner's worker name behind `user`; the pool sees each of them.",
    ),
    extranonce_bytes: key(
      whole(4, 16).default(8),
      "Bytes that miners of extended channels roll. Pools are asked for 4 more, from which our channels are told apart; a pool that gives fewer is refused. Raise it to 12 for a server of this kind below.",
    ),
    worker_names: key(
      z.boolean().default(true),
      "Name the worker of every share to pools that track workers (extension 0x0002).",
    ),
    declare: key(
      z.enum(["full_template", "coinbase_only"]).default("full_template"),
      "How jobs are declared to pools with a `jds`. full_template: the pool sees all transactions and checks them. coinbase_only: it sees the coinbase alone; few pools take that.",
    ),
    fallback: key(
      z.enum(["none", "solo"]).default("none"),
      "When no pool works. none: miners wait. solo: mine own templates for the [[bitcoind]] nodes and `payout` of [bitcoin], with all auxiliary chains, until a pool is back.",
    ),
    failback_s: key(
      seconds(0, 86_400).default(120),
      "A preferred pool must have worked for this long before miners are moved back to it.",
    ),
    connect_timeout_s: key(
      seconds(1, 120).default(10),
      "A pool that has not given its first job within this time after we dialled counts as away.",
    ),
    idle_timeout_s: key(seconds(30, 3600).default(180), "A pool that sends nothing for this long counts as hung."),
    client_certificate_file: key(
      z.string().min(1).optional(),
      "Our certificate for pools on TLS or QUIC that want one: chain, PEM, read for each connection.",
      '"client.pem"',
    ),
    client_key_file: key(
      z.string().min(1).optional(),
      "Its private key, PEM, readable by this user only.",
      '"client-key.pem"',
    ),
  }),
  tls: section("A second listener for miners, inside TLS 1.3 (docs/transports.md).", {
    listen_addr: key(
      hostPort.optional(),
      "Address and port; there is no TLS listener when it is left out.",
      '"0.0.0.0:3343"',
    ),
    certificate_file: key(
      z.string().min(1).optional(),
      "Certificate chain, PEM, read again when it changes; also for QUIC. Left out, a self-signed one is made in data_dir at the first start.",
      '"fullchain.pem"',
    ),
    key_file: key(z.string().min(1).optional(), "Its private key, PEM, readable by this user only.", '"privkey.pem"'),
    client_ca_file: key(
      z.string().min(1).optional(),
      "Only clients with a certificate of one of these authorities (PEM) are let in; also for QUIC. Left out, everybody is.",
      '"clients-ca.pem"',
    ),
    noise: key(
      z.boolean().default(true),
      "Whether the Noise handshake runs inside. Without it clients have to check the certificate (stratum2+tls://HOST:PORT?noise=off).",
    ),
  }),
  quic: section(
    "A listener on QUIC: every stream is an SV2 connection (docs/transports.md). Needs the package @matrixai/quic.",
    {
      listen_addr: key(
        hostPort.optional(),
        "Address and UDP port; there is no QUIC listener when it is left out. The certificate is that of [tls].",
        '"0.0.0.0:3344"',
      ),
      noise: key(z.boolean().default(true), "Whether the Noise handshake runs inside each stream."),
      streams_per_connection: key(
        whole(1, 100_000).default(1_000),
        "Open streams of one QUIC connection; a client waits with further ones.",
      ),
      idle_timeout_s: key(seconds(5, 3600).default(60), "A QUIC connection that is silent for this long is closed."),
      keep_alive_s: key(
        seconds(1, 600).default(20),
        "Keep-alive packets are sent this often, so that address translators on the way do not forget the connection.",
      ),
    },
  ),
} as const;
