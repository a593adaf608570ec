package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class AddressTest {
  static Stream<Named<Case>> addresses() {
    return Cases.load("addresses");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void addresses(Case found) {
    String refused = found.text("refused");
    if (!refused.isEmpty()) {
      String said =
          assertThrows(IllegalArgumentException.class, () -> builder(found).build()).getMessage();
      assertTrue(Set.of(refused, "url: " + refused).contains(said), said);
      return;
    }
    ClientBuilder builder = builder(found);
    builder.build().close();
    Address address = Address.parse(builder.url(), "url");
    assertEquals(new Address(found.text("target"), found.flag("tls")), address);
    assertEquals(found.text("key"), builder.key());
  }

  private static ClientBuilder builder(Case found) {
    if (!found.has("environment")) {
      return Client.builder(found.text("url")).key(found.text("key"));
    }
    Map<String, String> environment =
        found.part("environment").fields().entrySet().stream()
            .collect(Collectors.toMap(Map.Entry::getKey, entry -> (String) entry.getValue()));
    return Address.fromEnvironment(environment);
  }
}
