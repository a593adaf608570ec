package dev.qrumb;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;

/**
 * `qrumb micro`, a node in one process, for tests; it ends with {@link #close}, and with this
 * process at the latest.
 */
final class MicroNode implements AutoCloseable {
  private final Process process;
  private final HttpClient http = HttpClient.newHttpClient();

  /** Of JSON over HTTP. */
  final String url;

  /** Of gRPC, for QRUMB_URL. */
  final String grpcUrl;

  private MicroNode(Process process, String url, String grpcUrl) {
    this.process = process;
    this.url = url;
    this.grpcUrl = grpcUrl;
  }

  /**
   * Starts it and waits until it takes events.
   *
   * @param program such as {@code qrumb}
   * @throws IOException it does not start; its error is on standard error
   */
  static MicroNode start(String program) throws IOException {
    Process process =
        new ProcessBuilder(program, "micro", "--tied")
            .redirectError(ProcessBuilder.Redirect.INHERIT)
            .start();
    BufferedReader output =
        new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
    String line = output.readLine();
    String[] words = line == null ? new String[0] : line.split(" ");
    if (words.length != 3 || !words[0].equals("ready:")) {
      process.destroy();
      throw new IOException("qrumb micro ended before it was ready");
    }
    return new MicroNode(process, words[1], words[2]);
  }

  /**
   * Waits until an event has these fields.
   *
   * @param expectation such as {@code {"where": {"event_type": "pageview"}, "within": 2}}
   * @throws AssertionError none has them in time; says what came nearest
   */
  void expect(String expectation) throws IOException, InterruptedException {
    HttpResponse<String> answer = post("/test/expect", expectation);
    if (answer.statusCode() != 200) {
      throw new AssertionError(answer.body());
    }
  }

  /** Forgets all events. */
  void reset() throws IOException, InterruptedException {
    post("/test/reset", "{}");
  }

  private HttpResponse<String> post(String path, String body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(url + path))
            .POST(HttpRequest.BodyPublishers.ofString(body))
            .build();
    return http.send(request, HttpResponse.BodyHandlers.ofString());
  }

  @Override
  public void close() throws IOException {
    process.getOutputStream().close();
  }
}
