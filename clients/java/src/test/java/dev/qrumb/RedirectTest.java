package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.protobuf.util.JsonFormat;
import dev.qrumb.Cases.Case;
import dev.qrumb.v1.ScanSession;
import java.io.IOException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RedirectTest {
  static final String SITE = "shop";
  static final String SECRET = "a-secret";

  static Stream<Named<Case>> redirect() {
    return Cases.load("redirect");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void redirect(Case found) throws IOException {
    List<Event> scans = new ArrayList<>();
    String secret = found.has("secret") ? found.text("secret") : SECRET;
    Map<String, String> destinations = texts(found.part("destinations"));
    if (found.has("refused")) {
      String said =
          assertThrows(
                  IllegalArgumentException.class,
                  () -> new Redirect(scans::add, SITE, secret, destinations))
              .getMessage();
      assertTrue(said.contains(found.text("refused")), said);
      return;
    }
    Case expect = found.part("expect");
    Redirect.Answer answer =
        new Redirect(scans::add, SITE, secret, destinations).answer(request(found.part("request")));
    Map<String, String> headers = new TreeMap<>();
    headers.put("Cache-Control", "private, no-store");
    headers.put("X-Robots-Tag", "noindex");
    if (expect.has("location")) {
      headers.put("Location", expect.text("location").replace("{session}", answer.session()));
    }
    if (expect.has("allow")) {
      headers.put("Allow", expect.text("allow"));
    }
    assertEquals(expect.whole("status"), answer.status());
    assertEquals(headers, new TreeMap<>(answer.headers()));
    assertEquals(expect.has("scan") ? 1 : 0, scans.size());
    assertEquals(!expect.has("scan"), answer.session().isEmpty());
    for (Event event : scans) {
      ScanSession scan = assertInstanceOf(Event.Scan.class, event).message();
      check(scan, answer.session(), expect.get("scan"));
    }
  }

  private static void check(ScanSession scan, String session, Object expected) throws IOException {
    ScanSession.Builder wanted = ScanSession.newBuilder();
    JsonFormat.parser().merge(Cases.json(expected), wanted);
    wanted.setSiteId(SITE).setScanSessionId(session).setScanTime(scan.getScanTime());
    assertEquals(wanted.build(), scan);
    assertTrue(scan.hasUserAgent());
    assertEquals(7, UUID.fromString(session.substring(0, session.indexOf('.'))).version());
    assertTrue(Signing.isSigned(SECRET, SITE, session));
    long age = Instant.now().getEpochSecond() - scan.getScanTime().getSeconds();
    assertTrue(age >= 0 && age < 60);
  }

  private static ScanRequest request(Case given) {
    Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    headers.putAll(texts(given.part("headers")));
    ScanRequest request =
        ScanRequest.of(given.text("code"), headers::get)
            .withQuery(given.text("query"))
            .withClientIp(given.text("client_ip"))
            .withLabels(given.part("labels").fields());
    request = given.has("method") ? request.withMethod(given.text("method")) : request;
    return given.has("consent") ? request.withConsent(Consent.of(given.text("consent"))) : request;
  }

  private static Map<String, String> texts(Case fields) {
    Map<String, String> texts = new TreeMap<>();
    fields.fields().forEach((name, value) -> texts.put(name, (String) value));
    return texts;
  }

  @Test
  void noRedirectFailsWhileTheNodeIsAway() {
    Map<String, QrumbException> told = new ConcurrentHashMap<>();
    Client client =
        Client.builder("grpc://127.0.0.1:9")
            .maxQueueEvents(100)
            .onFailure((event, reason) -> told.put(event.id(), reason))
            .build();
    Redirect redirect = new Redirect(client, SITE, SECRET, Map.of("a", "https://a.example/"));
    ScanRequest request = ScanRequest.of("a", name -> null);
    List<Redirect.Answer> answers =
        Stream.generate(() -> redirect.answer(request)).limit(500).toList();
    assertTrue(answers.stream().allMatch(answer -> answer.status() == 302));
    assertEquals(400, client.counters().failed());
    assertEquals(400, told.size());
    assertThrows(UndeliveredException.class, () -> client.close(Duration.ofMillis(100)));
    answers.forEach(answer -> assertTrue(told.containsKey(answer.session())));
    Redirect.Answer late = redirect.answer(request);
    assertEquals(302, late.status());
    assertInstanceOf(ClosedException.class, told.get(late.session()));
  }
}
