/** Events of peers and of the mesh. */
import { bool, bytes, f64, string, u32, u64, usize } from "../bincode.ts";
import { lateOption, option, vec } from "../compound.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of peers and of the mesh. */
export const NETWORK_EVENTS = {
  PeerConnected: event({
    type: at(no, 31, 33, 28, 28, 28, 28, 28),
    index: at(no, 29, 31, 26, 26, 26, 26, 26),
    doc: "A peer connected.",
    fields: {
      peerAddr: string,
      transportType: string,
      services: u64,
      version: u32,
      peerNodeId: lateOption(["s3", "s4", "s5"], bytes),
    },
  }),
  PeerDisconnected: event({
    type: at(no, 32, 34, 29, 29, 29, 29, 29),
    index: at(no, 30, 32, 27, 27, 27, 27, 27),
    doc: "A peer is gone.",
    fields: { peerAddr: string, reason: string },
  }),
  PeerBanned: event({
    type: at(no, 33, 35, 30, 30, 30, 30, 30),
    index: at(no, 31, 33, 28, 28, 28, 28, 28),
    doc: "A peer was banned.",
    fields: { peerAddr: string, reason: string, banDurationSeconds: u64 },
  }),
  PeerUnbanned: event({
    type: at(no, 34, 36, 31, 31, 31, 31, 31),
    index: at(no, 32, 34, 29, 29, 29, 29, 29),
    doc: "A peer may come again.",
    fields: { peerAddr: string },
  }),
  MessageReceived: event({
    type: at(no, 35, 37, 32, 32, 32, 32, 32),
    index: at(no, 33, 35, 30, 30, 30, 30, 30),
    doc: "A peer sent a message.",
    fields: { peerAddr: string, messageType: string, messageSize: usize, protocolVersion: u32 },
  }),
  MessageSent: event({
    type: at(no, 36, 38, 33, 33, 33, 33, 33),
    index: at(no, 34, 36, 31, 31, 31, 31, 31),
    doc: "A message went to a peer.",
    fields: { peerAddr: string, messageType: string, messageSize: usize },
  }),
  BroadcastStarted: event({
    type: at(no, 37, 39, 34, 34, 34, 34, 34),
    index: at(no, 35, 37, 32, 32, 32, 32, 32),
    doc: "A message goes to many peers.",
    fields: { messageType: string, targetPeers: usize },
  }),
  BroadcastCompleted: event({
    type: at(no, 38, 40, 35, 35, 35, 35, 35),
    index: at(no, 36, 38, 33, 33, 33, 33, 33),
    doc: "A message went to many peers.",
    fields: { messageType: string, successful: usize, failed: usize },
  }),
  MeshPacketReceived: event({
    type: at(no, 16, 16, 16, 16, 16, 16, 16),
    index: at(no, no, 80, 75, 75, 75, 75, 75),
    doc: "A peer sent a mesh packet.",
    fields: { packetData: bytes, peerAddr: string },
  }),
  RouteDiscovered: event({
    type: at(no, 39, 41, 36, 36, 36, 36, 36),
    index: at(no, 37, 39, 34, 34, 34, 34, 34),
    doc: "The mesh found a route.",
    fields: { destination: bytes, routePath: vec(string), routeCost: u64 },
  }),
  RouteFailed: event({
    type: at(no, 40, 42, 37, 37, 37, 37, 37),
    index: at(no, 38, 40, 35, 35, 35, 35, 35),
    doc: "The mesh found no route.",
    fields: { destination: bytes, reason: string },
  }),
  ConnectionAttempt: event({
    type: at(no, 41, 43, 38, 38, 38, 38, 38),
    index: at(no, 39, 41, 36, 36, 36, 36, 36),
    doc: "The node tried to reach a peer.",
    fields: { peerAddr: string, success: bool, error: option(string) },
  }),
  AddressDiscovered: event({
    type: at(no, 42, 44, 39, 39, 39, 39, 39),
    index: at(no, 40, 42, 37, 37, 37, 37, 37),
    doc: "An address was heard of.",
    fields: { peerAddr: string, source: string },
  }),
  AddressExpired: event({
    type: at(no, 43, 45, 40, 40, 40, 40, 40),
    index: at(no, 41, 43, 38, 38, 38, 38, 38),
    doc: "An address was forgotten.",
    fields: { peerAddr: string },
  }),
  NetworkPartition: event({
    type: at(no, 44, 46, 41, 41, 41, 41, 41),
    index: at(no, 42, 44, 39, 39, 39, 39, 39),
    doc: "Peers went out of reach together.",
    fields: { partitionId: bytes, disconnectedPeers: vec(string), partitionSize: usize },
  }),
  NetworkReconnected: event({
    type: at(no, 45, 47, 42, 42, 42, 42, 42),
    index: at(no, 43, 45, 40, 40, 40, 40, 40),
    doc: "Peers are in reach again.",
    fields: { partitionId: bytes, reconnectedPeers: vec(string) },
  }),
  DoSAttackDetected: event({
    type: at(no, 46, 48, 43, 43, 43, 43, 43),
    index: at(no, 44, 46, 41, 41, 41, 41, 41),
    doc: "A peer attacks.",
    fields: { peerAddr: string, attackType: string, severity: string },
  }),
  RateLimitExceeded: event({
    type: at(no, 47, 49, 44, 44, 44, 44, 44),
    index: at(no, 45, 47, 42, 42, 42, 42, 42),
    doc: "A peer asks too often.",
    fields: { peerAddr: string, limitType: string, currentRate: f64, limit: f64 },
  }),
  BanListShared: event({
    type: at(no, 97, 109, 104, 104, 105, 105, 105),
    index: at(no, 95, 108, 104, 104, 105, 105, 105),
    doc: "Our ban list went to a peer.",
    fields: { peerAddr: string, banCount: usize },
  }),
  BanListReceived: event({
    type: at(no, 98, 110, 105, 105, 106, 106, 106),
    index: at(no, 96, 109, 105, 105, 106, 106, 106),
    doc: "A peer's ban list came.",
    fields: { peerAddr: string, banCount: usize },
  }),
  PeerPayment: event({
    type: at(no, no, no, no, no, no, no, 117),
    index: at(no, no, no, no, no, no, no, 117),
    doc: "A peer sent a message of the payment protocol; since 0.1.81.",
    fields: { command: string, payload: bytes, peerAddr: string },
  }),
} as const;
