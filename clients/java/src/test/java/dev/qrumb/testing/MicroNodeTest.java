package dev.qrumb.testing;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Client;
import dev.qrumb.Event;
import java.io.IOException;
import java.time.Duration;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;

/** As another project uses it. QRUMB_COMMAND is the program. */
@EnabledIfEnvironmentVariable(named = "QRUMB_COMMAND", matches = ".+")
class MicroNodeTest {
  private static final Duration SECONDS = Duration.ofSeconds(30);
  private static MicroNode node;

  @BeforeAll
  static void start() throws IOException {
    node = MicroNode.start();
  }

  @AfterAll
  static void stop() {
    node.close();
  }

  @BeforeEach
  void reset() {
    node.reset();
  }

  @Test
  void whatIsSentIsThere() {
    try (Client client = Client.builder(node.grpcUrl()).build()) {
      Map<String, String> own = Map.of("sku", "\"A1\"");
      client.send(Event.browser().siteId("demo").eventType("pageview").metadata(own).build());
    }
    node.expect(SECONDS, Map.of("event_type", "pageview", "metadata.sku", "\"A1\""));
    assertTrue(node.events().contains("pageview"));
  }

  @Test
  void aFailureSaysWhatCameNearest() {
    assertEquals("{\"events\":[]}", node.events().replace(" ", ""));
    AssertionError error =
        assertThrows(
            AssertionError.class,
            () -> node.expect(Duration.ofMillis(50), Map.of("event_type", "pageview")));
    assertTrue(
        error.getMessage().startsWith("no event with event_type='pageview'"), error::getMessage);
  }

  @Test
  void whatDoesNotStartSaysHowToGetIt() {
    IOException error = assertThrows(IOException.class, () -> MicroNode.start("no-such-program"));
    assertTrue(error.getMessage().contains("pip install"));
  }
}
