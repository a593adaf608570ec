// The fixture `qrumb`: one `qrumb micro` for each worker, emptied before each test. `pip install 'qrumb[testing]'` brings it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test as base } from "@playwright/test";

class Micro {
  constructor(url, grpcUrl) {
    this.url = url; // of JSON, for the tag and the Node client
    this.grpcUrl = grpcUrl; // of gRPC, for QRUMB_URL of the other clients
  }

  /** Waits until an event has these fields; what came nearest is the error's text. */
  async expect(where, { within = 5, count = null } = {}) {
    return (await this.#post("/test/expect", { where, within, count })).events;
  }

  /** Every event since the start of the test, with its verdict. */
  async events() {
    return (await (await fetch(`${this.url}/test/events`)).json()).events;
  }

  async reset() {
    await this.#post("/test/reset", {});
  }

  async #post(path, body) {
    const answer = await fetch(this.url + path, { method: "POST", body: JSON.stringify(body) });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.message);
    return found;
  }
}

export const test = base.extend({
  micro: [async ({}, use) => {
    // --tied: it ends when its input is closed, so also with a worker that is killed.
    const micro = spawn(process.env.QRUMB_COMMAND ?? "qrumb", ["micro", "--tied"], { stdio: ["pipe", "pipe", "inherit"] });
    const ended = once(micro, "exit");
    const [line] = await Promise.race([
      once(createInterface({ input: micro.stdout }), "line"),
      ended.then(() => { throw new Error("qrumb micro ended before it was ready"); }),
    ]);
    const [, url, grpcUrl] = line.split(" ");
    await use(new Micro(url, grpcUrl));
    micro.stdin.end();
    await ended;
  }, { scope: "worker" }],
  qrumb: async ({ micro }, use) => {
    await micro.reset();
    await use(micro);
  },
});

export { expect } from "@playwright/test";
