// The connection, against a server of the test's own: TLS, the key, compression.

import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createSecureServer, type Http2SecureServer } from "node:http2";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { pathToFileURL } from "node:url";

import { create } from "@bufbuild/protobuf";
import { connectNodeAdapter } from "@connectrpc/connect-node";

import { CollectorService } from "../src/gen/qrumb/v1/collector_service_pb.js";
import { EventReceipt_Outcome, EventReceiptSchema } from "../src/gen/qrumb/v1/receipt_pb.js";
import { Client, type Connection, serverEvent } from "../src/index.js";

const noOpenssl = spawnSync("openssl", ["version"]).status !== 0 && "needs openssl, to make a certificate";

describe("over TLS", { skip: noOpenssl }, () => {
  const folder = mkdtempSync(join(tmpdir(), "qrumb-tls-"));
  const headers: Headers[] = [];
  let server: Http2SecureServer;
  let address = "";

  before(async () => {
    const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
    const names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...files, ...names], {
      stdio: "ignore",
    });
    const handler = connectNodeAdapter({
      routes: (router) =>
        router.service(CollectorService, {
          batchCollectServerEvents({ events }, context) {
            headers.push(context.requestHeader);
            const outcome = EventReceipt_Outcome.ACCEPTED;
            return { receipts: events.map(({ eventId }) => create(EventReceiptSchema, { eventId, outcome })) };
          },
        }),
    });
    const pem = (name: string) => readFileSync(join(folder, name));
    server = createSecureServer({ key: pem("key.pem"), cert: pem("cert.pem") }, handler);
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    address = `grpcs://localhost:${(server.address() as AddressInfo).port}`;
  });

  after(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  async function sendOne(connection: Omit<Connection, "address">) {
    const failures: string[] = [];
    const client = new Client({ address, ...connection }, { onFailure: (_event, error) => failures.push(error.message) });
    const properties = { note: "x".repeat(4000) };
    await client.send(serverEvent({ siteId: "demo", scanSessionId: "s", eventName: "lead", properties }));
    await client.close();
    return { ...client.counters, failures };
  }

  test("an authority of one's own is trusted, and the key and compressed events arrive", async () => {
    const ca = pathToFileURL(join(folder, "cert.pem"));
    const { accepted } = await sendOne({ ca, key: "site-key", compression: "gzip" });
    assert.equal(accepted, 1);
    assert.equal(headers[0]?.get("authorization"), "Bearer site-key");
    assert.equal(headers[0]?.get("grpc-encoding"), "gzip");
  });

  test("a certificate that no authority vouches for is an error at once, not a reason to try for ever", async () => {
    const { failed, retried, failures } = await sendOne({});
    assert.equal(failed, 1);
    assert.equal(retried, 0);
    assert.match(failures.join(), /certificate/);
    assert.equal(headers.length, 1, "nothing was sent");
  });
});
