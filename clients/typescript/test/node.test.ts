// node.yaml, and what else only a real node can show. QRUMB_GRPC says where one is, such as http://127.0.0.1:9090, QRUMB_SITE
// one of its sites, and QRUMB_KEY a key of that site.

import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { Client, type EventReceipt, Outcome, Reason, serverEvent } from "../src/index.js";
import { build, cases, missing } from "./cases.js";

interface NodeStep {
  kind: string;
  collect?: Record<string, unknown>;
  send?: Record<string, unknown>[];
  outcome?: string;
  outcomes?: string[];
  violations?: Record<string, [string, string][]>;
  register?: Record<string, string>;
}

const address = process.env["QRUMB_GRPC"] ?? "";
const site = process.env["QRUMB_SITE"] ?? "demo";
const key = process.env["QRUMB_KEY"] ?? "";
const noNode = !address && "QRUMB_GRPC does not say where a node is";

describe("node.yaml", { skip: noNode || missing("node.yaml") }, () => {
  for (const { name, steps } of cases<{ steps: NodeStep[] }>("node.yaml")) {
    test(name, async () => {
      for (const step of JSON.parse(JSON.stringify(steps).replaceAll("SITE", site)) as NodeStep[]) await take(step);
    });
  }
});

async function take(step: NodeStep): Promise<void> {
  const receipts: EventReceipt[] = [];
  const client = new Client({ address, key }, { onReceipt: (receipt) => receipts.push(receipt) });
  if (step.register) {
    const { site_id: siteId = "", scan_session_id: scanSessionId = "", qr_code_id: qrCodeId = "" } = step.register;
    await client.registerScanSession({ siteId, scanSessionId, qrCodeId });
  }
  if (step.collect) receipts.push(await client.collect(build(step.kind, step.collect)));
  for (const input of step.send ?? []) await client.send(build(step.kind, input));
  await client.close();
  const outcomes = step.outcomes ?? (step.outcome ? [step.outcome] : []);
  assert.deepEqual(receipts.map(({ outcome }) => Outcome[outcome]), outcomes);
  for (const [index, wanted] of Object.entries(step.violations ?? {})) {
    const found = receipts[Number(index)]?.violations.map(({ field, reason }) => [field, Reason[reason]]);
    assert.deepEqual(found?.sort(), [...wanted].sort());
  }
}

describe("a real node", { skip: noNode }, () => {
  for (const compression of [undefined, "gzip"] as const) {
    test(`takes a thousand events in order, compression ${compression ?? "none"}`, async () => {
      const outcomes: string[] = [];
      const client = new Client(
        { address, key, ...(compression && { compression }) },
        { onReceipt: ({ outcome }) => outcomes.push(Outcome[outcome]) },
      );
      for (let number = 0; number < 1000; number++) {
        await client.send(
          serverEvent({
            siteId: site,
            scanSessionId: `thousand-${compression ?? "none"}`,
            eventName: "purchase",
            amount: (number + 1) / 100,
            currency: "EUR",
            properties: { note: "x".repeat(200) },
          }),
        );
      }
      await client.close();
      assert.deepEqual(outcomes, Array.from({ length: 1000 }, () => "ACCEPTED"));
    });
  }
});
