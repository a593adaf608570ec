package dev.qrumb;

import java.math.BigDecimal;

/** The README's example, which NodeTest runs. */
final class Example {
  private Example() {}

  static void run() {
    // QRUMB_URL (grpc://127.0.0.1:9090), QRUMB_KEY
    try (Client client = Client.builderFromEnv().onReceipt(System.out::println).build()) {
      client.send(
          Event.server()
              .siteId("demo")
              .scanSessionId("scan-1")
              .eventName("purchase")
              .amount(new BigDecimal("49.90"))
              .currency("EUR")
              .email("ada@example.com") // hashed here; the address never leaves the process
              .build());
    } // flushes; an UndeliveredException has what is left
  }
}
