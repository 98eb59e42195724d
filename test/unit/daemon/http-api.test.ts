/** Requests, answers and failures over a scripted client. */
import { describe, expect, test } from "vitest";
import { z } from "zod";
import type { HttpAnswer, HttpClient, HttpRequest } from "../../../src/daemon/http.ts";
import { HttpApi } from "../../../src/daemon/http-api.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function setUp(answer: Partial<HttpAnswer> | Error | "hang", url = "http://user:s3cret@127.0.0.1:8080/v1a/?net=x") {
  const clock = new FakeClock();
  const sent: HttpRequest[] = [];
  const http: HttpClient = {
    close() {},
    send: (request, { signal }) => {
      sent.push(request);
      if (answer instanceof Error) return Promise.reject(answer);
      if (answer !== "hang") return Promise.resolve({ status: 200, dateMs: undefined, text: "", ...answer });
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason), { once: true }));
    },
  };
  return { clock, sent, http, api: new HttpApi({ clock, http }, { url, timeoutMs: 2000, maxBytes: 1000 }) };
}

describe("HttpApi", () => {
  test("gets below its address, with its query and credentials", async () => {
    const { api, sent } = setUp({ text: '{"a":1}' });
    expect(await api.json({ path: "block", query: { id: "a b&c" } }, z.object({ a: z.number() }))).toEqual({ a: 1 });
    expect(sent[0]).toMatchObject({ method: "GET", body: "" });
    expect(sent[0]?.url.href).toBe("http://127.0.0.1:8080/v1a/block?net=x&id=a+b%26c");
    expect(sent[0]?.headers.authorization).toBe(`Basic ${Buffer.from("user:s3cret").toString("base64")}`);
    expect(api).toMatchObject({ name: "127.0.0.1:8080", address: "http://127.0.0.1:8080/v1a/" });
  });

  test("sends the login that it was given rather than the address's", async () => {
    const { clock, sent, http } = setUp({ text: "" });
    const login = { user: "u", password: "p:q" };
    const api = new HttpApi({ clock, http }, { url: "http://a:b@127.0.0.1/", login, timeoutMs: 1, maxBytes: 1 });
    await api.text({ path: "" });
    expect(sent[0]?.headers.authorization).toBe(`Basic ${Buffer.from("u:p:q").toString("base64")}`);
  });

  test("posts JSON", async () => {
    const { api, sent } = setUp({ text: "[]" }, "http://127.0.0.1:8080");
    await api.json({ path: "submit", json: { hexdata: "00" } }, z.array(z.string()));
    expect(sent[0]).toMatchObject({ method: "POST", body: '{"hexdata":"00"}' });
    expect(sent[0]?.url.href).toBe("http://127.0.0.1:8080/submit");
    expect(sent[0]?.headers).toMatchObject({ "content-type": "application/json" });
    expect(sent[0]?.headers.authorization).toBeUndefined();
  });

  test("asks its very address when there is no path", async () => {
    const { api, sent } = setUp({ text: "6a" }, "http://127.0.0.1:8080/tag");
    expect(await api.text({ path: "" })).toBe("6a");
    expect(sent[0]?.url.href).toBe("http://127.0.0.1:8080/tag");
  });

  test.each([
    [{ status: 503, text: '{"error":"Node syncing"}' }, "node-busy"],
    [{ status: 400, text: '{"error":"Not a block"}' }, "node-http-status"],
    [{ status: 404, text: "" }, "node-not-found"],
    [{ status: 401, text: "" }, "node-unauthorized"],
    [{ status: 302, text: "" }, "node-http-status"],
    [{ text: "<html>" }, "node-web-page"],
    [{ text: "{" }, "node-not-json"],
    [{ text: '{"a":"1"}' }, "node-answer-unexpected"],
    [Object.assign(new Error("connect"), { code: "ECONNREFUSED" }), "node-refused"],
  ])("%o is the fault %s, without the password", async (answer, code) => {
    const { api } = setUp(answer);
    const error = await api.json({ path: "x" }, z.object({ a: z.number() })).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code, data: { node: "127.0.0.1:8080", method: "GET x" } });
    expect(JSON.stringify(error) + String(error)).not.toContain("s3cret");
  });

  test("what the daemon said with a status stands beside the fault", async () => {
    const { api } = setUp({ status: 503, text: '{"error":"Node syncing"}' });
    await expect(api.text({ path: "x" })).rejects.toMatchObject({
      data: { status: 503, says: '{"error":"Node syncing"}' },
    });
  });

  test("ends at its deadline and leaves no timer", async () => {
    const { api, clock } = setUp("hang");
    const asked = api.text({ path: "x" });
    clock.advance(2000);
    await expect(asked).rejects.toMatchObject({ code: "node-timeout", data: { seconds: 2 } });
    expect(clock.pending).toBe(0);
  });

  test("gives up with the signal's reason", async () => {
    const { api, clock } = setUp("hang");
    const controller = new AbortController();
    const asked = api.text({ path: "x", signal: controller.signal });
    controller.abort(new Error("stopped"));
    await expect(asked).rejects.toThrow("stopped");
    await expect(api.text({ path: "x", signal: controller.signal })).rejects.toThrow("stopped");
    expect(clock.pending).toBe(0);
  });
});
