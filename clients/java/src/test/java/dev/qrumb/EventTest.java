package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import dev.qrumb.Cases.Case;
import dev.qrumb.v1.BrowserEvent;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Base64;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class EventTest {
  static Stream<Named<Case>> events() {
    return Cases.load("events");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void events(Case found) throws IOException {
    Message event = Cases.build(found.text("kind"), found.part("input")).message();
    Message.Builder expected = event.newBuilderForType();
    JsonFormat.parser().merge(Cases.json(found.get("json")), expected);
    assertEquals(expected.build(), event);
    assertEquals(found.text("wire"), Base64.getEncoder().encodeToString(bytes(event)));
  }

  static Stream<Named<Case>> refusals() {
    return Cases.load("refusals");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void refusals(Case found) {
    assumeFalse(found.text("needs").equals("naive_time"), "an Instant has no zone to lack");
    Case input = found.part("input");
    String said =
        assertThrows(IllegalArgumentException.class, () -> Cases.build(found.text("kind"), input))
            .getMessage();
    assertTrue(said.contains(found.text("refused")), said);
    for (String name : new String[] {"email", "phone"}) {
      assertFalse(input.has(name) && said.contains(input.text(name)), "quotes the input");
    }
  }

  @Test
  void aBuilderMakesAnotherEventEachTime() {
    BrowserEventBuilder builder = Event.browser().siteId("demo").eventId("");
    assertNotEquals(builder.build().id(), builder.build().id());
  }

  @Test
  void aMessageKeepsWhatItHas() {
    BrowserEvent message = ((Event.Browser) Event.browser().siteId("demo").build()).message();
    assertEquals(message, Event.of(message).message());
    assertFalse(Event.of(BrowserEvent.getDefaultInstance()).id().isEmpty());
  }

  @Test
  void whatIsNoJsonIsRefused() {
    Map<String, Object> metadata = Map.of("when", new Object());
    assertThrows(IllegalArgumentException.class, () -> Event.browser().metadata(metadata));
  }

  private static byte[] bytes(Message message) throws IOException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    CodedOutputStream output = CodedOutputStream.newInstance(bytes);
    output.useDeterministicSerialization();
    message.writeTo(output);
    output.flush();
    return bytes.toByteArray();
  }
}
