// The Node client's part of clients.py: `node clients.mjs grpc://HOST:PORT [away]`.

import { existsSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Client, serverEvent } from "../clients/typescript/dist/index.js";

const BATCHED = 30_000;
const SINGLE = 500;
const address = process.argv[2].replace("grpc://", "http://");

/** A purchase with a few properties, about 250 bytes. */
function event(number, siteId = "bench") {
  return serverEvent({
    siteId,
    eventName: "purchase",
    scanSessionId: `scan-${number % 997}`,
    amount: 49.9,
    currency: "EUR",
    externalId: `u-${number}`,
    properties: { order: `A-${number}`, items: 3, campaign: "autumn" },
  });
}

/** The second of two rounds: the first one warms up. */
async function measure(name, events, work) {
  for (const isMeasured of [false, true]) {
    const client = new Client({ address });
    const wall = process.hrtime.bigint();
    const processor = process.cpuUsage();
    await work(client);
    const seconds = Number(process.hrtime.bigint() - wall) / 1e9;
    const { user, system } = process.cpuUsage(processor);
    await client.close();
    if (isMeasured) console.log(`RESULT ${name} ${(events / seconds).toFixed(0)} ${((user + system) / events).toFixed(1)}`);
  }
}

/** An event every 10 ms until the file is there, then the rest. */
async function away() {
  const client = new Client({ address });
  while (!existsSync(process.env.QRUMB_AWAY_OVER)) {
    await client.send(event(client.counters.sent, process.env.QRUMB_AWAY_SITE));
    await sleep(10);
  }
  const started = performance.now();
  await client.flush(60_000);
  const { sent, accepted, failed } = client.counters;
  console.log(`AWAY ${sent} ${accepted} ${failed} ${((performance.now() - started) / 1000).toFixed(1)}`);
  await client.close();
}

if (process.argv[3] === "away") {
  await away();
} else {
  await measure("building alone", BATCHED, async () => {
    for (let number = 0; number < BATCHED; number++) event(number);
  });
  await measure("batches", BATCHED, async (client) => {
    for (let number = 0; number < BATCHED; number++) await client.send(event(number));
    await client.flush(60_000);
  });
  await measure("single", SINGLE, async (client) => {
    for (let number = 0; number < SINGLE; number++) await client.collect(event(number));
  });
}
