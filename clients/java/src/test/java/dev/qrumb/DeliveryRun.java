package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import dev.qrumb.v1.EventReceipt;
import dev.qrumb.v1.ScanSession;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** One case of delivery.yaml or scans.yaml under way. */
final class DeliveryRun {
  private static final Map<String, Class<? extends QrumbException>> ERRORS =
      Map.of("queue_full", QueueFullException.class, "closed", ClosedException.class);

  /** A call that arrived at the front, as its control says it. */
  private record Call(double time, List<Sent> events, String authorization) {
    static Call of(Case call) {
      return new Call(
          call.number("time"),
          call.parts("events").stream().map(Sent::of).toList(),
          call.text("authorization"));
    }
  }

  private record Sent(int number, String id) {
    static Sent of(Case event) {
      return new Sent(Integer.parseInt(event.text("name").substring(1)), event.text("event_id"));
    }
  }

  private final HttpClient http = HttpClient.newHttpClient();
  private final Case found;
  private final String siteId;
  private final String control;
  private final Client client;
  private final List<String> ids = new ArrayList<>();
  private final List<CompletableFuture<String>> beside = new ArrayList<>();
  private final List<EventReceipt> receipts = new CopyOnWriteArrayList<>();
  private final List<String> failures = new CopyOnWriteArrayList<>();
  private boolean isClosed;

  DeliveryRun(Case found) {
    String[] front = System.getenv("QRUMB_FRONT").split(" ");
    this.found = found;
    this.siteId = found.text("name") + "." + UUID.randomUUID().toString().substring(0, 8);
    this.control = front[4];
    this.client =
        Cases.settings(Client.builder(front[1]), found.part("settings"))
            .key(found.text("key"))
            .onReceipt(receipts::add)
            .onFailure((event, error) -> failures.add(event.id()))
            .build();
  }

  void run() throws Exception {
    try {
      for (Case step : found.parts("steps")) {
        step(step);
      }
      for (CompletableFuture<String> waiting : beside) {
        ids.add(waiting.get(60, TimeUnit.SECONDS));
      }
      if (!isClosed) {
        close(60, 0);
      }
    } finally {
      tell("start");
    }
    check(found.part("expect"));
  }

  private void step(Case step) throws Exception {
    if (step.has("send")) {
      send(step);
    } else if (step.has("offer")) {
      for (int left = step.whole("offer"); left > 0; left--) {
        Event event = event(step, ids.size());
        assertEquals(left > step.whole("lost"), client.offer(event));
        ids.add(event.id());
      }
    } else if (step.has("wait")) {
      Thread.sleep(step.seconds("wait").toMillis());
    } else if (step.has("flush")) {
      boolean expected = !step.has("answer") || step.flag("answer");
      assertEquals(expected, client.flush(step.seconds("flush")));
    } else if (step.has("close")) {
      close(step.number("close"), step.whole("undelivered"));
    } else {
      tell(step.text("server"));
    }
  }

  private void send(Case step) throws Exception {
    for (int left = step.whole("send"); left > 0; left--) {
      Event event = event(step, ids.size() + beside.size());
      boolean isLast = left == 1;
      if (isLast && step.has("error")) {
        assertThrows(ERRORS.get(step.text("error")), () -> client.send(event));
      } else if (isLast && step.has("blocks")) {
        CompletableFuture<String> waiting = CompletableFuture.supplyAsync(() -> client.send(event));
        beside.add(waiting);
        long blocks = step.seconds("blocks").toMillis();
        assertThrows(TimeoutException.class, () -> waiting.get(blocks, TimeUnit.MILLISECONDS));
      } else {
        ids.add(client.send(event));
      }
    }
  }

  private Event event(Case step, int number) {
    Map<String, ?> padding =
        step.has("padding") ? Map.of("p", "x".repeat(step.whole("padding"))) : Map.of();
    if (step.text("kind").equals("scan")) {
      return Event.of(ScanSession.newBuilder().setSiteId(siteId).setQrCodeId("e" + number).build());
    }
    if (step.text("kind").equals("browser")) {
      return Event.browser()
          .siteId(siteId)
          .eventType("e" + number)
          .scanSessionId("s")
          .eventId(step.text("event_id"))
          .metadata(padding)
          .build();
    }
    return Event.server()
        .siteId(siteId)
        .eventName("e" + number)
        .scanSessionId("s")
        .eventId(step.text("event_id"))
        .properties(padding)
        .build();
  }

  private void close(double seconds, int expected) {
    isClosed = true;
    int undelivered = 0;
    try {
      client.close(Cases.seconds(seconds));
    } catch (UndeliveredException left) {
      undelivered = left.events().size();
    }
    assertEquals(expected, undelivered);
  }

  private void tell(String command) throws Exception {
    http.send(
        HttpRequest.newBuilder(URI.create(control + "/" + command))
            .POST(HttpRequest.BodyPublishers.noBody())
            .build(),
        BodyHandlers.discarding());
  }

  private List<Call> arrived() throws Exception {
    HttpRequest request = HttpRequest.newBuilder(URI.create(control + "/calls/" + siteId)).build();
    return Cases.parse(http.send(request, BodyHandlers.ofString()).body()).map(Call::of).toList();
  }

  private void check(Case expect) throws Exception {
    List<Call> calls = arrived();
    List<List<Integer>> numbers =
        calls.stream().map(call -> call.events.stream().map(Sent::number).toList()).toList();
    if (expect.has("calls")) {
      assertEquals(expect.get("calls"), numbers);
    }
    assertTrue(calls.size() >= expect.whole("calls_at_least"));
    if (expect.has("events")) {
      assertEquals(
          expect.get("events"), numbers.stream().flatMap(List::stream).distinct().toList());
    }
    if (expect.has("gaps")) {
      for (Object gap : (List<?>) expect.get("gaps")) {
        checkGap(
            calls, ((List<?>) gap).stream().map(part -> ((Number) part).doubleValue()).toList());
      }
    }
    if (expect.has("authorization")) {
      calls.forEach(call -> assertEquals(expect.text("authorization"), call.authorization));
    }
    calls.stream()
        .flatMap(call -> call.events.stream())
        .forEach(sent -> assertEquals(ids.get(sent.number), sent.id));
    ids.forEach(id -> assertEquals(7, UUID.fromString(id).version()));
    checkCounters(expect);
    checkReports(expect);
  }

  private static void checkGap(List<Call> calls, List<Double> gap) {
    int index = gap.get(0).intValue();
    double waited = calls.get(index).time - calls.get(index - 1).time;
    assertTrue(gap.get(1) <= waited && waited <= gap.get(2), waited + " s before call " + index);
  }

  private void checkCounters(Case expect) {
    Counters counters = client.counters();
    long retried =
        Math.max(expect.whole("retried"), expect.has("retried_at_least") ? counters.retried() : 0);
    Counters expected =
        new Counters(
            ids.size(),
            expect.whole("accepted"),
            expect.whole("rejected"),
            expect.whole("failed"),
            0,
            retried);
    assertEquals(expected, counters);
    assertTrue(retried >= expect.whole("retried_at_least"));
    assertEquals(ids.size(), counters.accepted() + counters.rejected() + counters.failed());
  }

  private void checkReports(Case expect) {
    if (expect.has("receipts")) {
      List<Integer> order =
          receipts.stream().map(receipt -> ids.indexOf(receipt.getEventId())).toList();
      assertEquals(order.stream().sorted().toList(), order);
      Map<Object, String> outcomes = new TreeMap<>();
      receipts.forEach(
          receipt -> outcomes.put(ids.indexOf(receipt.getEventId()), receipt.getOutcome().name()));
      assertEquals(expect.get("receipts"), outcomes);
    }
    assertEquals(
        expect.has("failures") ? expect.get("failures") : List.of(),
        failures.stream().map(ids::indexOf).toList());
  }
}
