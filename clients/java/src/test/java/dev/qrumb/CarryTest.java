package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.qrumb.Cases.Case;
import dev.qrumb.servlet.CarryFilter;
import jakarta.servlet.http.HttpServlet;
import jakarta.servlet.http.HttpServletRequest;
import jakarta.servlet.http.HttpServletResponse;
import java.io.IOException;
import java.io.Serial;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.catalina.Context;
import org.apache.catalina.startup.Tomcat;
import org.apache.tomcat.util.descriptor.web.FilterDef;
import org.apache.tomcat.util.descriptor.web.FilterMap;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Named;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The filter within an embedded Tomcat. */
class CarryTest {
  private static final Carry CARRY =
      new Carry(RedirectTest.SITE, List.of(RedirectTest.SECRET, "the-older-secret"));
  private static final Pattern KEPT = Pattern.compile("qrs=([^;]*); Max-Age=(\\d+); (.*)");
  private static final int MOST_SECONDS = 30 * 86_400;
  private static final Tomcat TOMCAT = new Tomcat();
  private static final HttpClient HTTP = HttpClient.newHttpClient();
  private static final List<Event> SCANS = new CopyOnWriteArrayList<>();

  @TempDir static Path folder;

  /** Answers with the current session. */
  private static final class Landing extends HttpServlet {
    @Serial private static final long serialVersionUID = 1;

    @Override
    protected void doGet(HttpServletRequest request, HttpServletResponse response)
        throws IOException {
      response.getWriter().write(CarryFilter.currentSession(request));
    }
  }

  @BeforeAll
  static void start() throws Exception {
    TOMCAT.setBaseDir(folder.toString());
    TOMCAT.setPort(0);
    Context context = TOMCAT.addContext("", folder.toString());
    FilterDef filter = new FilterDef();
    filter.setFilterName("carry");
    filter.setFilter(new CarryFilter(CARRY, CarryTest::consent));
    context.addFilterDef(filter);
    FilterMap everywhere = new FilterMap();
    everywhere.setFilterName("carry");
    everywhere.addURLPattern("/*");
    context.addFilterMap(everywhere);
    Tomcat.addServlet(context, "landing", new Landing()).addMapping("/");
    Map<String, String> destinations = Map.of("poster-7", "https://shop.example/");
    ScanServlet scan =
        new ScanServlet(
            new Redirect(SCANS::add, RedirectTest.SITE, RedirectTest.SECRET, destinations));
    Tomcat.addServlet(context, "scan", scan).addMapping("/q/*");
    TOMCAT.getConnector();
    TOMCAT.start();
  }

  @AfterAll
  static void stop() throws Exception {
    TOMCAT.stop();
    TOMCAT.destroy();
  }

  private static Consent consent(HttpServletRequest request) {
    return switch (String.valueOf(request.getHeader("x-consent"))) {
      case "granted" -> Consent.GRANTED;
      case "denied" -> Consent.DENIED;
      default -> Consent.PENDING;
    };
  }

  static Stream<Named<Case>> carry() {
    return Cases.load("carry");
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource
  void carry(Case found) throws Exception {
    Map<String, String> sessions = new HashMap<>();
    Case made = found.part("sessions");
    made.fields().forEach((name, how) -> sessions.put(name, session(made, name)));
    String jar = "";
    for (Case step : found.parts("steps")) {
      String cookie = step.has("sent") ? filled(step.text("sent"), sessions) : jar;
      HttpResponse<String> answer = get(filled(step.text("query"), sessions), step, cookie);
      assertEquals(200, answer.statusCode());
      assertEquals(sessions.getOrDefault(step.text("session"), ""), answer.body());
      List<String> cookies = answer.headers().allValues("set-cookie");
      assertEquals(step.has("cookie") ? 1 : 0, cookies.size());
      if (step.has("cookie")) {
        Matcher kept = KEPT.matcher(cookies.get(0));
        assertTrue(kept.matches(), cookies.get(0));
        jar = kept.group(1);
        assertEquals(sessions.getOrDefault(step.text("cookie"), ""), jar);
        assertEquals("Path=/; HttpOnly; Secure; SameSite=Lax", kept.group(3));
        boolean isAge = made.get(step.text("cookie")) instanceof Integer;
        int left = MOST_SECONDS - (isAge ? made.whole(step.text("cookie")) : 0);
        int most = step.text("cookie").equals("deleted") ? 0 : left;
        int age = Integer.parseInt(kept.group(2));
        assertTrue(age <= most && age >= most - 120, age + " of " + most);
      }
    }
  }

  private static HttpResponse<String> get(String query, Case step, String cookie) throws Exception {
    // What URI refuses to hold as it is.
    String safe = query.replaceAll("%(?![0-9a-fA-F]{2})", "%25").replace("{", "").replace("}", "");
    HttpRequest.Builder request =
        HttpRequest.newBuilder(
                URI.create(
                    "http://127.0.0.1:%d/?%s"
                        .formatted(TOMCAT.getConnector().getLocalPort(), safe)))
            .header("x-consent", step.text("consent"));
    if (!cookie.isEmpty()) {
      request.header("cookie", "own=1; qrs=" + cookie);
    }
    return HTTP.send(request.build(), HttpResponse.BodyHandlers.ofString());
  }

  private static String filled(String text, Map<String, String> sessions) {
    String filled = text;
    for (Map.Entry<String, String> session : sessions.entrySet()) {
      filled = filled.replace("{" + session.getKey() + "}", session.getValue());
    }
    return filled;
  }

  private static String session(Case made, String name) {
    Case how = made.get(name) instanceof Integer ? new Case(Map.of()) : made.part(name);
    int age = made.get(name) instanceof Integer ? made.whole(name) : how.whole("age");
    long milliseconds = System.currentTimeMillis() - age * 1000L;
    UUID random = UUID.randomUUID();
    UUID seventh = new UUID(milliseconds << 16 | 0x7000L, random.getLeastSignificantBits());
    return Signing.signScanSessionId(
        how.has("secret") ? how.text("secret") : RedirectTest.SECRET,
        how.has("site_id") ? how.text("site_id") : RedirectTest.SITE,
        how.has("name") ? how.text("name") : seventh.toString());
  }

  @Test
  void theRedirectOfThePageAnswers() throws Exception {
    String address = "http://127.0.0.1:%d/q/".formatted(TOMCAT.getConnector().getLocalPort());
    HttpRequest request = HttpRequest.newBuilder(URI.create(address + "poster-7?utm=1")).build();
    HttpResponse<Void> answer = HTTP.send(request, HttpResponse.BodyHandlers.discarding());
    assertEquals(302, answer.statusCode());
    assertEquals(1, SCANS.size());
    assertEquals(
        "https://shop.example/?utm=1&qrs=" + SCANS.get(0).id(),
        answer.headers().firstValue("location").orElseThrow());
    HttpRequest other = HttpRequest.newBuilder(URI.create(address + "constructor")).build();
    assertEquals(404, HTTP.send(other, HttpResponse.BodyHandlers.discarding()).statusCode());
  }

  @Test
  void aBrokenQueryHarmsNothing() {
    assertEquals(new Carry.Carried("", ""), CARRY.read("%zz=%&&==&qrs=%&%", "", Consent.GRANTED));
    assertEquals(new Carry.Carried("", ""), CARRY.read(null, null, null));
  }

  @Test
  void secretsAreNotShown() {
    assertFalse(CARRY.toString().toLowerCase(Locale.ROOT).contains("secret"));
  }
}
