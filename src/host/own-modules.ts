/**
 * Lets a plugin's folder anywhere on disk import `bllvm-stratum-v2/plugin` and `bllvm-stratum-v2/kit` without installing anything: Node's
 * resolution is told where ours are, in front of every `node_modules`, so that a plugin always meets the running program's
 * own modules and never another copy of them. The built-in plugins need none of this: a package may import itself by name.
 */
import * as nodeModule from "node:module";

/** `registerHooks` came with Node 22.15; before, hooks run in a thread of their own and are given as a module. */
interface HookRegistration {
  readonly registerHooks?: (hooks: {
    readonly resolve: (
      specifier: string,
      context: unknown,
      next: (specifier: string, context: unknown) => unknown,
    ) => unknown;
  }) => void;
}

let registered: Readonly<Record<string, string>> | undefined;

/**
 * From now on `import` of a key of `modules` gives the module at its URL, whoever imports it. Process-wide and for good; a second
 * call does nothing.
 */
export function shareOwnModules(modules: Readonly<Record<string, string>>): void {
  if (registered !== undefined) return;
  registered = modules;
  const { registerHooks } = nodeModule as HookRegistration;
  if (registerHooks !== undefined) {
    registerHooks({
      resolve(specifier, context, next) {
        const url = Object.hasOwn(modules, specifier) ? modules[specifier] : undefined;
        return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true };
      },
    });
    return;
  }
  const source = `const modules = ${JSON.stringify(modules)};
const resolve = async (specifier, context, next) => {
  const url = Object.hasOwn(modules, specifier) ? modules[specifier] : undefined;
  return url === undefined ? next(specifier, context) : { url, format: "module", shortCircuit: true };
};
export { resolve };`;
  nodeModule.register(`data:text/javascript,${encodeURIComponent(source)}`);
}
