package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import dev.qrumb.v1.EventReceipt;
import dev.qrumb.v1.ScanSession;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * QRUMB_NODE is the grpc address of a running node, QRUMB_SITE one of its sites, and QRUMB_KEY a
 * key of that site.
 */
@EnabledIfEnvironmentVariable(named = "QRUMB_NODE", matches = "grpc://.+")
class NodeTest {
  private static final String URL = System.getenv("QRUMB_NODE");
  private static final String SITE = System.getenv("QRUMB_SITE");
  private static final String KEY = System.getenv("QRUMB_KEY");

  static Stream<Named<Case>> node() {
    return Cases.load("node");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void node(Case found) {
    List<EventReceipt> receipts = new CopyOnWriteArrayList<>();
    try (Client client = Client.builder(URL).key(KEY).onReceipt(receipts::add).build()) {
      for (Case step : found.parts("steps")) {
        receipts.clear();
        step(client, step, receipts);
      }
    }
  }

  private void step(Client client, Case step, List<EventReceipt> receipts) {
    if (step.has("register")) {
      Case session = step.part("register");
      ScanSession kept =
          client.registerScanSession(
              ScanSession.newBuilder()
                  .setSiteId(SITE)
                  .setScanSessionId(session.text("scan_session_id"))
                  .setQrCodeId(session.text("qr_code_id"))
                  .build());
      assertEquals(session.text("qr_code_id"), kept.getQrCodeId());
    } else if (step.has("collect")) {
      receipts.add(client.collect(event(step.text("kind"), step.part("collect"))));
      checkVerdicts(receipts, List.of(step.text("outcome")), step.part("violations"));
    } else {
      for (Case input : step.parts("send")) {
        client.send(event(step.text("kind"), input));
      }
      assertTrue(client.flush(Duration.ofSeconds(20)));
      checkVerdicts(receipts, (List<?>) step.get("outcomes"), step.part("violations"));
    }
  }

  private static Event event(String kind, Case input) {
    Map<String, Object> fields = new HashMap<>(input.fields());
    fields.put("site_id", SITE);
    return Cases.build(kind, new Case(fields));
  }

  private static void checkVerdicts(
      List<EventReceipt> receipts, List<?> outcomes, Case violations) {
    assertEquals(outcomes, receipts.stream().map(receipt -> receipt.getOutcome().name()).toList());
    for (int number = 0; number < receipts.size(); number++) {
      Set<List<String>> found =
          receipts.get(number).getViolationsList().stream()
              .map(violation -> List.of(violation.getField(), violation.getReason().name()))
              .collect(Collectors.toSet());
      Object expected = violations.fields().getOrDefault((Object) number, List.of());
      assertEquals(Set.copyOf((List<?>) expected), found);
    }
  }

  @Test
  void theExampleOfTheReadmeRuns() {
    Example.run(); // its row is looked for by the test that started the node
  }
}
