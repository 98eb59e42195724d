/** Template providers as the operator wrote them. */
import { parseServerUrl } from "../client/url.ts";
import { Fault } from "../kernel/fault.ts";
import type { Provider } from "../node/templates/provider-connection.ts";
import type { LoadedConfig } from "./config/load.ts";

/** The providers in order of preference; none when none is configured. Throws `Fault("config-invalid")` with what is wrong as cause. */
export function providersOf({ config, file }: Pick<LoadedConfig, "config" | "file">): readonly Provider[] {
  const providers = config.template_providers.map(({ name, url }, i) => {
    try {
      const address = parseServerUrl(url);
      const { host, port } = address;
      return { name: name ?? `${host.includes(":") ? `[${host}]` : host}:${port}`, url, address };
    } catch (cause) {
      throw new Fault("config-invalid", { file, key: `template_providers.${i}.url` }, { cause });
    }
  });
  const names = providers.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    const cause = new Error(`${JSON.stringify(twice)} is another provider's name too, expected one of its own`);
    throw new Fault("config-invalid", { file, key: "template_providers.name" }, { cause });
  }
  return providers;
}
