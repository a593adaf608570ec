package dev.qrumb.testing;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Collectors;

/**
 * {@code qrumb micro}, a node in one process on free ports, for the tests of what sends events. It
 * keeps nothing, and ends with {@link #close}, or with this process where that is killed. In JUnit:
 * a static field that {@code @BeforeAll} starts and {@code @AfterAll} closes, and {@link #reset}
 * before each test.
 */
public final class MicroNode implements AutoCloseable {
  private static final int OK = 200;

  private final Process process;
  // Java would ask each time for HTTP/2, which this node does not have.
  private final HttpClient http =
      HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
  private final String url;
  private final String grpcUrl;

  private MicroNode(Process process, String url, String grpcUrl) {
    this.process = process;
    this.url = url;
    this.grpcUrl = grpcUrl;
  }

  /**
   * Starts {@code qrumb}, or the program that the environment's QRUMB_COMMAND names, and waits
   * until it takes events.
   *
   * @return the node
   * @throws IOException it does not start; its error is on standard error
   */
  public static MicroNode start() throws IOException {
    return start(Objects.requireNonNullElse(System.getenv("QRUMB_COMMAND"), "qrumb"));
  }

  /**
   * Starts it and waits until it takes events.
   *
   * @param program such as {@code /opt/venv/bin/qrumb}
   * @return the node
   * @throws IOException it does not start; its error is on standard error
   */
  public static MicroNode start(String program) throws IOException {
    Process process;
    try {
      process =
          new ProcessBuilder(program, "micro", "--tied")
              .redirectError(ProcessBuilder.Redirect.INHERIT)
              .start();
    } catch (IOException missing) {
      throw new IOException(
          "qrumb micro does not start; pip install 'qrumb[testing]' brings it", missing);
    }
    BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = output.readLine();
    String[] words = line == null ? new String[0] : line.split(" ");
    if (words.length != 3 || !words[0].equals("ready:")) {
      process.destroy();
      throw new IOException("qrumb micro ended before it was ready; its error is above");
    }
    return new MicroNode(process, words[1], words[2]);
  }

  /**
   * Names the address of JSON over HTTP, for web pages and the Node client.
   *
   * @return such as {@code http://127.0.0.1:41234}
   */
  public String url() {
    return url;
  }

  /**
   * Names the address of gRPC, for {@link dev.qrumb.Client#builder(String)} and QRUMB_URL.
   *
   * @return such as {@code grpc://127.0.0.1:41235}
   */
  public String grpcUrl() {
    return grpcUrl;
  }

  /**
   * Waits until an event has all these fields.
   *
   * @param within how long at most
   * @param where columns of an event by name, own fields as {@code metadata.sku}, {@code outcome}
   *     (ACCEPTED unless said), {@code reason} of a violation; values are texts, numbers, booleans
   * @throws AssertionError none has them in time; says what came nearest, and its verdict
   */
  public void expect(Duration within, Map<String, ?> where) {
    String fields =
        where.entrySet().stream()
            .map(entry -> quoted(entry.getKey()) + ":" + json(entry.getValue()))
            .collect(Collectors.joining(",", "{", "}"));
    String body = "{\"where\":" + fields + ",\"within\":" + within.toMillis() / 1000.0 + "}";
    HttpResponse<String> answer = send("/test/expect", HttpRequest.BodyPublishers.ofString(body));
    if (answer.statusCode() != OK) {
      throw new AssertionError(message(answer.body()));
    }
  }

  /**
   * Shows every event since the start of the test: outcome, violations, warnings, and its fields as
   * they are stored.
   *
   * @return JSON, an object with {@code events}
   */
  public String events() {
    return send("/test/events", null).body();
  }

  /** Forgets all events and sessions. */
  public void reset() {
    HttpResponse<String> answer = send("/test/reset", HttpRequest.BodyPublishers.ofString("{}"));
    if (answer.statusCode() != OK) {
      throw new IllegalStateException(answer.body());
    }
  }

  /** Ends it, and waits for its end. */
  @Override
  public void close() {
    try {
      process.getOutputStream().close();
      process.waitFor();
    } catch (IOException gone) {
      process.destroy();
    } catch (InterruptedException interrupted) {
      process.destroy();
      Thread.currentThread().interrupt();
    }
  }

  /** GET where there is no body. */
  private HttpResponse<String> send(String path, HttpRequest.BodyPublisher body) {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path));
    try {
      return http.send(
          body == null ? request.build() : request.POST(body).build(),
          HttpResponse.BodyHandlers.ofString());
    } catch (IOException fault) {
      throw new IllegalStateException("the node at " + url + " does not answer", fault);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException("interrupted", interrupted);
    }
  }

  private static String json(Object value) {
    return value instanceof Number || value instanceof Boolean || value == null
        ? String.valueOf(value)
        : quoted(value.toString());
  }

  private static String quoted(String text) {
    StringBuilder quoted = new StringBuilder("\"");
    for (char letter : text.toCharArray()) {
      if (letter == '"' || letter == '\\' || letter < ' ') {
        quoted.append("\\u%04x".formatted((int) letter));
      } else {
        quoted.append(letter);
      }
    }
    return quoted.append('"').toString();
  }

  /** The text in {"message": "..."}, for those who read it. */
  private static String message(String body) {
    return body.replaceFirst("(?s)^.*\"message\":\\s*\"", "")
        .replaceFirst("(?s)\"\\s*}\\s*$", "")
        .replace("\\n", "\n")
        .replace("\\\"", "\"");
  }
}
