package dev.qrumb;

import java.lang.management.ManagementFactory;
import java.math.BigDecimal;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Locale;
import java.util.Map;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;

/** For bench/clients.py, against a real node (QRUMB_NODE). No part of the tests. */
class ClientBench {
  private static final int BATCHED = 30_000;
  private static final int SINGLE = 500;
  private static final Duration MINUTE = Duration.ofMinutes(1);

  /** A purchase with a few properties, about 250 bytes. */
  private static Event event(long number, String siteId) {
    return Event.server()
        .siteId(siteId)
        .eventName("purchase")
        .scanSessionId("scan-" + number % 997)
        .amount(new BigDecimal("49.90"))
        .currency("EUR")
        .externalId("u-" + number)
        .properties(Map.of("order", "A-" + number, "items", 3, "campaign", "autumn"))
        .build();
  }

  private static Client client() {
    String folder = System.getenv().getOrDefault("QRUMB_SPOOL_DIR", "");
    return Client.builder(System.getenv("QRUMB_NODE")).spoolDir(Path.of(folder)).build();
  }

  /** Of all threads, the compiler's and the collector's included. */
  private static long processorNanos() {
    return ((com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean())
        .getProcessCpuTime();
  }

  /** The last of some rounds: the ones before it warm up. */
  private static void measure(String name, int events, Consumer<Client> work) {
    for (int round = 9; round >= 0; round--) {
      try (Client client = client()) {
        long wall = System.nanoTime();
        long processor = processorNanos();
        work.accept(client);
        double seconds = (System.nanoTime() - wall) / 1e9;
        double micros = (processorNanos() - processor) / 1e3;
        if (round == 0) {
          System.out.printf(
              Locale.ROOT, "%nRESULT %s %.0f %.1f%n", name, events / seconds, micros / events);
        }
      }
    }
  }

  @Test
  void measureBuilding() {
    measure(
        "building alone",
        BATCHED,
        client -> {
          for (int number = 0; number < BATCHED; number++) {
            event(number, "bench");
          }
        });
  }

  @Test
  void measureBatches() {
    measure(
        "batches",
        BATCHED,
        client -> {
          for (int number = 0; number < BATCHED; number++) {
            client.send(event(number, "bench"));
          }
          client.flush(MINUTE);
        });
  }

  @Test
  void measureSingle() {
    measure(
        "single",
        SINGLE,
        client -> {
          for (int number = 0; number < SINGLE; number++) {
            client.collect(event(number, "bench"));
          }
        });
  }

  /** An event every 10 ms until the file is there, then the rest. */
  @Test
  void away() throws InterruptedException {
    Path over = Path.of(System.getenv("QRUMB_AWAY_OVER"));
    try (Client client = client()) {
      while (!Files.exists(over)) {
        client.send(event(client.counters().sent(), System.getenv("QRUMB_AWAY_SITE")));
        Thread.sleep(10);
      }
      long started = System.nanoTime();
      client.flush(MINUTE);
      Counters found = client.counters();
      System.out.printf(
          Locale.ROOT,
          "%nAWAY %d %d %d %.1f%n",
          found.sent(),
          found.accepted(),
          found.failed(),
          (System.nanoTime() - started) / 1e9);
    }
  }
}
