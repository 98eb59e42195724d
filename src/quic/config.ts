/**
 * What QUIC connections are made with. Windows are fixed: quiche would let them grow with what a peer sends. 0-RTT stays off
 * (a share or a channel that is opened twice by a replayed packet is not what anybody asked for), and so do unidirectional streams
 * and datagrams, which SV2 has no use for.
 */
import { ALPN, DATAGRAM_BYTES, type Quiche, type QuicheConfig } from "./quiche.ts";

/** Bounds of a connection. */
export interface QuicLimits {
  /** Streams that the peer may have open at once. */
  readonly streams: number;
  /** Bytes of one stream that the peer may send ahead of its reader. */
  readonly streamWindow: number;
  /** Silence after which the connection is over, ms; the smaller one of both sides counts. */
  readonly idleTimeoutMs: number;
}

/** A server's identity, PEM. */
export interface QuicCertificate {
  /** The chain, its own certificate first. */
  readonly chain: string;
  readonly key: string;
  /** Only clients with a certificate of one of these authorities are let in; left out, everybody is. */
  readonly clientCa?: string | undefined;
}

/** How many addresses of the peer, one after the other, a connection can follow; each costs a few KiB. */
export const PATHS = 8;

/** What a client needs of its server's streams: none are opened by the server. */
export const CLIENT_LIMITS = { streams: 0, streamWindow: 256 * 1024 };

const text = new TextEncoder();

/** Makes a server's. Throws when quiche cannot read certificate or key. */
export function serverConfig(quiche: Quiche, identity: QuicCertificate, limits: QuicLimits): QuicheConfig {
  const { chain, key, clientCa } = identity;
  const ca = clientCa === undefined ? null : text.encode(clientCa);
  const config = quiche.Config.withBoringSslCtx(ca !== null, false, ca, [text.encode(key)], [text.encode(chain)], null);
  return limit(config, limits, limits.streams * limits.streamWindow);
}

/** A client's certificate, PEM. */
export interface QuicClientIdentity {
  readonly chain: string;
  readonly key: string;
}

/** Makes a client's. With `authorities` (PEM) the server's chain is verified against them, without not at all. */
export function clientConfig(
  quiche: Quiche,
  authorities: string | undefined,
  idleTimeoutMs: number,
  identity?: QuicClientIdentity,
): QuicheConfig {
  const config = quiche.Config.withBoringSslCtx(
    authorities !== undefined,
    false,
    authorities === undefined ? null : text.encode(authorities),
    identity === undefined ? null : [text.encode(identity.key)],
    identity === undefined ? null : [text.encode(identity.chain)],
    null,
  );
  return limit(config, { ...CLIENT_LIMITS, idleTimeoutMs }, MAX_CLIENT_WINDOW);
}

/** What a server may send ahead on all streams of one connection: a thousand miners get a job at once. */
const MAX_CLIENT_WINDOW = 16 * 1024 * 1024;

function limit(config: QuicheConfig, limits: QuicLimits, connectionWindow: number): QuicheConfig {
  const { streams, streamWindow, idleTimeoutMs } = limits;
  config.setApplicationProtos([ALPN]);
  config.setMaxIdleTimeout(idleTimeoutMs);
  config.setMaxRecvUdpPayloadSize(DATAGRAM_BYTES);
  config.setMaxSendUdpPayloadSize(DATAGRAM_BYTES);
  config.setInitialMaxData(connectionWindow);
  config.setMaxConnectionWindow(connectionWindow);
  config.setInitialMaxStreamDataBidiLocal(streamWindow);
  config.setInitialMaxStreamDataBidiRemote(streamWindow);
  config.setMaxStreamWindow(streamWindow);
  config.setInitialMaxStreamsBidi(streams);
  config.setInitialMaxStreamsUni(0);
  config.setInitialMaxStreamDataUni(0);
  config.setActiveConnectionIdLimit(PATHS);
  // We only tell the peer that it may move; a client that changes its address without a word is followed as well.
  config.setDisableActiveMigration(false);
  config.enablePacing(false);
  return config;
}
