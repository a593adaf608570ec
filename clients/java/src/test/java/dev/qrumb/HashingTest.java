package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.qrumb.Cases.Case;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class HashingTest {
  static Stream<Named<Case>> hashes() {
    return Cases.load("hashes");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void hashes(Case found) {
    UnaryOperator<String> hash =
        found.text("kind").equals("phone") ? Hashing::phoneHash : Hashing::emailHash;
    String input = found.text("input");
    if (!found.flag("refused")) {
      assertEquals(found.text("hash"), hash.apply(input));
      return;
    }
    Exception refused = assertThrows(IllegalArgumentException.class, () -> hash.apply(input));
    assertFalse(
        !input.isBlank() && refused.getMessage().contains(input.strip()), "quotes the input");
  }
}
