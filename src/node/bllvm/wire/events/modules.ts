/** Events of modules. */
import { bool, string, u64 } from "../bincode.ts";
import { event } from "../rows.ts";
import { at, no } from "../schema.ts";

/** Events of modules. */
export const MODULE_EVENTS = {
  ModuleLoaded: event({
    type: at(no, 75, 77, 72, 72, 72, 72, 72),
    index: at(no, 73, 75, 70, 70, 70, 70, 70),
    doc: "A module is loaded and subscribed.",
    fields: { moduleName: string, version: string },
  }),
  ModuleUnloaded: event({
    type: at(no, 76, 78, 73, 73, 73, 73, 73),
    index: at(no, 74, 76, 71, 71, 71, 71, 71),
    doc: "A module is gone.",
    fields: { moduleName: string, version: string },
  }),
  ModuleReloaded: event({
    type: at(no, 77, 79, 74, 74, 74, 74, 74),
    index: at(no, 75, 77, 72, 72, 72, 72, 72),
    doc: "A module was loaded anew.",
    fields: { moduleName: string, oldVersion: string, newVersion: string },
  }),
  ModuleStarted: event({
    type: at(no, 78, 80, 75, 75, 75, 75, 75),
    index: at(no, 76, 78, 73, 73, 73, 73, 73),
    doc: "A module's process runs.",
    fields: { moduleName: string },
  }),
  ModuleStopped: event({
    type: at(no, 79, 81, 76, 76, 76, 76, 76),
    index: at(no, 77, 79, 74, 74, 74, 74, 74),
    doc: "A module's process ended.",
    fields: { moduleName: string },
  }),
  ModuleCrashed: event({
    type: at(no, 80, 82, 77, 77, 77, 77, 77),
    index: at(no, 78, 81, 77, 77, 77, 77, 77),
    doc: "A module's process failed.",
    fields: { moduleName: string, error: string },
  }),
  ModuleHealthChanged: event({
    type: at(no, 81, 83, 78, 78, 78, 78, 78),
    index: at(no, 79, 82, 78, 78, 78, 78, 78),
    doc: "A module's health changed.",
    fields: { moduleName: string, oldHealth: string, newHealth: string },
  }),
  ModuleStateChanged: event({
    type: at(no, 82, 84, 79, 79, 79, 79, 79),
    index: at(no, 80, 83, 79, 79, 79, 79, 79),
    doc: "A module's state changed.",
    fields: { moduleName: string, oldState: string, newState: string },
  }),
  ModuleDiscovered: event({
    type: at(no, 99, 111, 112, 112, 113, 113, 113),
    index: at(no, 97, 110, 112, 112, 113, 113, 113),
    doc: "A module's folder was found.",
    fields: { moduleName: string, version: string, source: string },
  }),
  ModuleInstalled: event({
    type: at(no, 100, 112, 113, 113, 114, 114, 114),
    index: at(no, 98, 111, 113, 113, 114, 114, 114),
    doc: "A module was installed.",
    fields: { moduleName: string, version: string },
  }),
  ModuleUpdated: event({
    type: at(no, 101, 113, 114, 114, 115, 115, 115),
    index: at(no, 99, 112, 114, 114, 115, 115, 115),
    doc: "A module has a new version.",
    fields: { moduleName: string, oldVersion: string, newVersion: string },
  }),
  ModuleRemoved: event({
    type: at(no, 102, 114, 115, 115, 116, 116, 116),
    index: at(no, 100, 113, 115, 115, 116, 116, 116),
    doc: "A module was removed.",
    fields: { moduleName: string, version: string },
  }),
  ModulePurchaseCompleted: event({
    type: at(no, no, no, 108, 108, 109, 109, 109),
    index: at(no, no, no, 108, 108, 109, 109, 109),
    doc: "A module was paid for.",
    fields: { moduleId: string, paymentId: string, amountSats: u64 },
  }),
  ActionExecuted: event({
    type: at(no, no, no, 107, 107, 108, 108, 108),
    index: at(no, no, no, 107, 107, 108, 108, 108),
    doc: "An action was carried out.",
    fields: { actionId: string, actionType: string, target: string, success: bool },
  }),
} as const;
