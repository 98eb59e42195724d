import { describe, expect, test } from "vitest";
import { CONTROL_API, renderControlApi, routeOf } from "../../../src/host/control-api.ts";

describe("the control API's requests", () => {
  test("each is found by its method and path, with the chain that it names", () => {
    for (const route of CONTROL_API) {
      const path = route.path.replace(":chain", "namecoin");
      expect(routeOf(route.method, path)).toEqual({ route, chain: route.path.includes(":") ? "namecoin" : "" });
    }
  });

  test.each([
    ["GET", "/"],
    ["GET", "/v1/reload"],
    ["POST", "/v1/chains"],
    ["DELETE", "/v1/chains"],
    ["POST", "/v1/chains/namecoin/explode"],
    ["POST", "/v1/chains/:chain/enable"],
    ["POST", "/v1/chains/..%2f/enable"],
    ["POST", "/v1/chains/namecoin/enable/"],
    [undefined, "/v1/status"],
  ])("%s %s is none", (method, path) => {
    expect(() => routeOf(method, path)).toThrow(/not one that it knows/);
  });

  test("the page lists each", () => {
    for (const { method, path, doc } of CONTROL_API) {
      expect(renderControlApi()).toContain(`| \`${method} ${path}\` | ${doc} |`);
    }
  });
});
