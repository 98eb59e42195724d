/** Requests of the life as a module: who we are, events, other modules, health, metrics, the command line. */
import { bytes, string, u32, u64 } from "../bincode.ts";
import { option, vec } from "../compound.ts";
import { eventPayload, eventType } from "../events.ts";
import { cliSpec, metric, moduleHealth } from "../node-structs.ts";
import { request } from "../request-row.ts";
import { at, no } from "../schema.ts";

/** Requests of the life as a module: who we are, events, other modules, health, metrics, the command line. */
export const MODULE_REQUESTS = {
  Handshake: request({
    index: at(0, 0, 0, 0, 0, 0, 0, 0),
    doc: "Says who we are; the first message of a connection.",
    fields: { moduleId: string, moduleName: string, version: string },
    response: "HandshakeAck",
    permission: null,
  }),
  SubscribeEvents: request({
    index: at(8, 8, 8, 8, 8, 8, 8, 8),
    doc: "Has events of these types sent; once a connection, since the node sends twice what is named twice.",
    fields: { eventTypes: vec(eventType) },
    response: "SubscribeAck",
    permission: "SubscribeEvents",
  }),
  PublishEvent: request({
    index: at(no, 45, 45, 38, 40, 40, 41, 41),
    doc: "Sends an event to the modules that subscribed to its type, us among them.",
    fields: { eventType: eventType, payload: eventPayload },
    response: "EventPublished",
    permission: "PublishEvents",
  }),
  DiscoverModules: request({
    index: at(no, 42, 42, 35, 37, 37, 38, 38),
    doc: "The modules that the node knows.",
    fields: {},
    response: "ModuleList",
    permission: "DiscoverModules",
  }),
  GetModuleInfo: request({
    index: at(no, 43, 43, 36, 38, 38, 39, 39),
    doc: "One module.",
    fields: { moduleId: string },
    response: "ModuleInfo",
    permission: "DiscoverModules",
  }),
  IsModuleAvailable: request({
    index: at(no, 44, 44, 37, 39, 39, 40, 40),
    doc: "Whether a module runs.",
    fields: { moduleId: string },
    response: "ModuleAvailable",
    permission: "DiscoverModules",
  }),
  CallModule: request({
    index: at(no, 46, 46, 39, 41, 41, 42, 42),
    doc: "Calls a method of another module; without an id the one that registered the method.",
    fields: { targetModuleId: option(string), method: string, params: bytes },
    response: "ModuleApiResponse",
    permission: "CallModule",
  }),
  RegisterModuleApi: request({
    index: at(no, 47, 47, 40, 42, 42, 43, 43),
    doc: "Makes methods callable by other modules.",
    fields: { methods: vec(string), apiVersion: u32 },
    response: "ModuleApiRegistered",
    permission: "RegisterModuleApi",
  }),
  UnregisterModuleApi: request({
    index: at(no, 48, 48, 41, 43, 43, 44, 44),
    doc: "Takes all our methods back.",
    fields: {},
    response: "ModuleApiUnregistered",
    permission: "RegisterModuleApi",
  }),
  GetModuleHealth: request({
    index: at(no, 49, 49, 42, 44, 44, 45, 45),
    doc: "Health of a module.",
    fields: { moduleId: string },
    response: "ModuleHealth",
    permission: "ReadMetrics",
  }),
  GetAllModuleHealth: request({
    index: at(no, 50, 50, 43, 45, 45, 46, 46),
    doc: "Health of all modules.",
    fields: {},
    response: "AllModuleHealth",
    permission: "ReadMetrics",
  }),
  ReportModuleHealth: request({
    index: at(no, 51, 51, 44, 46, 46, 47, 47),
    doc: "Says how we are.",
    fields: { health: moduleHealth },
    response: "HealthReported",
    permission: "ReportMetrics",
  }),
  ReportMetric: request({
    index: at(no, 39, 39, 32, 34, 34, 35, 35),
    doc: "Hands over a metric; an error when the node keeps none.",
    fields: { metric: metric },
    response: "MetricReported",
    permission: "ReportMetrics",
  }),
  GetModuleMetrics: request({
    index: at(no, 40, 40, 33, 35, 35, 36, 36),
    doc: "Metrics of one module.",
    fields: { moduleId: string },
    response: "ModuleMetrics",
    permission: "ReadMetrics",
  }),
  GetAllMetrics: request({
    index: at(no, 41, 41, 34, 36, 36, 37, 37),
    doc: "Metrics of all modules.",
    fields: {},
    response: "AllMetrics",
    permission: "ReadMetrics",
  }),
  RegisterCliSpec: request({
    index: at(no, no, no, 60, 62, 63, 64, 64),
    doc: "Offers subcommands of the node's command line; answered before any permission is asked for.",
    fields: { spec: cliSpec },
    response: "Bool",
    permission: null,
  }),
  RegisterRpcEndpoint: request({
    index: at(no, 34, 34, 27, 27, 27, 28, 28),
    doc: "Offers a JSON-RPC method; always an error so far.",
    fields: { method: string, description: string },
    response: "RpcEndpointRegistered",
    permission: "RegisterRpcEndpoint",
  }),
  UnregisterRpcEndpoint: request({
    index: at(no, 35, 35, 28, 28, 28, 29, 29),
    doc: "Takes a JSON-RPC method back.",
    fields: { method: string },
    response: "RpcEndpointUnregistered",
    permission: "RegisterRpcEndpoint",
  }),
  RegisterCoreRpcOverride: request({
    index: at(no, no, no, no, 29, 29, 30, 30),
    doc: "Replaces a JSON-RPC method of the node; always an error so far.",
    fields: { method: string, description: string },
    response: "CoreRpcOverrideRegistered",
    permission: "RegisterRpcEndpoint",
  }),
  UnregisterCoreRpcOverride: request({
    index: at(no, no, no, no, 30, 30, 31, 31),
    doc: "Gives the node its JSON-RPC method back.",
    fields: { method: string },
    response: "CoreRpcOverrideUnregistered",
    permission: "RegisterRpcEndpoint",
  }),
  RegisterTimer: request({
    index: at(no, 36, 36, 29, 31, 31, 32, 32),
    doc: "A timer of the node; always an error, nothing could be called.",
    fields: { intervalSeconds: u64 },
    response: "TimerId",
    permission: "ManageTimers",
  }),
  CancelTimer: request({
    index: at(no, 37, 37, 30, 32, 32, 33, 33),
    doc: "Stops a timer of the node; always an error.",
    fields: { timerId: u64 },
    response: "TimerCancelled",
    permission: "ManageTimers",
  }),
  ScheduleTask: request({
    index: at(no, 38, 38, 31, 33, 33, 34, 34),
    doc: "A task for later; always an error, nothing could be called.",
    fields: { delaySeconds: u64 },
    response: "TaskScheduled",
    permission: "ManageTimers",
  }),
} as const;
