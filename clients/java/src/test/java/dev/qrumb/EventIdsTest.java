package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class EventIdsTest {
  static Stream<Named<Case>> event_ids() {
    return Cases.load("event_ids");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void event_ids(Case found) {
    String eventName = found.text("event_name");
    String key = found.text("key");
    String refused = found.text("refused");
    if (refused.isEmpty()) {
      assertEquals(found.text("id"), EventIds.eventIdFor(eventName, key));
      return;
    }
    Exception error =
        assertThrows(IllegalArgumentException.class, () -> EventIds.eventIdFor(eventName, key));
    assertTrue(error.getMessage().contains(refused));
  }
}
