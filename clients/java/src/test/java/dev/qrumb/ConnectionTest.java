package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.abort;

import dev.qrumb.v1.BatchCollectBrowserEventsRequest;
import dev.qrumb.v1.BatchCollectBrowserEventsResponse;
import dev.qrumb.v1.CollectorServiceGrpc.CollectorServiceImplBase;
import dev.qrumb.v1.EventReceipt;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerCredentials;
import io.grpc.ServerInterceptor;
import io.grpc.TlsChannelCredentials;
import io.grpc.TlsServerCredentials;
import io.grpc.stub.StreamObserver;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** The connection, against a server of the test's own: TLS, the key, compression. */
@Timeout(60)
class ConnectionTest {
  private static final Event EVENT = Event.browser().siteId("demo").build();
  private static final Duration SHORT = Duration.ofMillis(500);

  private Metadata headers;
  private Server server;

  @AfterEach
  void stop() {
    if (server != null) {
      server.shutdownNow();
    }
  }

  /** A collector that accepts everything and keeps the headers of the last call. */
  private int start(ServerCredentials credentials) throws IOException {
    CollectorServiceImplBase collector =
        new CollectorServiceImplBase() {
          @Override
          public void batchCollectBrowserEvents(
              BatchCollectBrowserEventsRequest request,
              StreamObserver<BatchCollectBrowserEventsResponse> answer) {
            EventReceipt receipt =
                EventReceipt.newBuilder()
                    .setEventId(request.getEvents(0).getEventId())
                    .setOutcome(EventReceipt.Outcome.ACCEPTED)
                    .build();
            answer.onNext(
                BatchCollectBrowserEventsResponse.newBuilder().addReceipts(receipt).build());
            answer.onCompleted();
          }
        };
    ServerInterceptor listening =
        new ServerInterceptor() {
          @Override
          public <Q, A> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, A> call, Metadata found, ServerCallHandler<Q, A> next) {
            headers = found;
            return next.startCall(call, found);
          }
        };
    server =
        Grpc.newServerBuilderForPort(0, credentials)
            .addService(collector)
            .intercept(listening)
            .build()
            .start();
    return server.getPort();
  }

  private String header(String name) {
    return headers.get(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
  }

  @Test
  void theEnvironmentSaysWhereAndAsWhom() throws IOException {
    int port = start(InsecureServerCredentials.create());
    Map<String, String> environment =
        Map.of("QRUMB_URL", "grpc://127.0.0.1:" + port, "QRUMB_KEY", "secret-1");
    try (Client client = Address.fromEnvironment(environment).build()) {
      assertEquals(EVENT.id(), client.collect(EVENT).getEventId());
    }
    assertEquals("Bearer secret-1", header("authorization"));
    assertNull(header("grpc-encoding"));
  }

  @Test
  void callsAreCompressed() throws IOException {
    int port = start(InsecureServerCredentials.create());
    try (Client client = Client.builder("grpc://127.0.0.1:" + port).gzip().build()) {
      client.collect(EVENT);
    }
    assertEquals("gzip", header("grpc-encoding"));
    assertNull(header("authorization"));
  }

  @Test
  void aHookThatSendsNeverWaitsForItself() throws IOException {
    String url = "grpc://127.0.0.1:" + start(InsecureServerCredentials.create());
    AtomicReference<Client> own = new AtomicReference<>();
    List<Exception> thrown = new CopyOnWriteArrayList<>();
    ClientBuilder builder = Client.builder(url).maxQueueEvents(1);
    builder.onReceipt(
        receipt ->
            thrown.add(assertThrows(QueueFullException.class, () -> own.get().send(EVENT, SHORT))));
    try (Client client = builder.build()) {
      own.set(client);
      client.send(EVENT);
      assertTrue(client.flush(Duration.ofSeconds(20)));
    }
    assertEquals(1, thrown.size());
  }

  @Test
  void certificatesOfOnesOwn(@TempDir Path folder) throws Exception {
    File key = folder.resolve("key.pem").toFile();
    File certificate = folder.resolve("certificate.pem").toFile();
    makeCertificate(key, certificate);
    int port =
        start(
            TlsServerCredentials.newBuilder()
                .keyManager(certificate, key)
                .trustManager(certificate)
                .clientAuth(TlsServerCredentials.ClientAuth.REQUIRE)
                .build());
    String url = "grpcs://localhost:" + port;
    TlsChannelCredentials.Builder trusting =
        TlsChannelCredentials.newBuilder().trustManager(certificate);
    try (Client client =
        Client.builder(url).tls(trusting.keyManager(certificate, key).build()).build()) {
      client.collect(EVENT);
    }
    try (Client stranger = Client.builder(url).build()) {
      assertThrows(DeliveryException.class, () -> stranger.collect(EVENT, SHORT));
    }
  }

  private static void makeCertificate(File key, File certificate) throws Exception {
    String options = "-x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost";
    List<String> command = new ArrayList<>(List.of("openssl", "req"));
    command.addAll(List.of(options.split(" ")));
    command.addAll(List.of("-addext", "subjectAltName=DNS:localhost"));
    command.addAll(List.of("-keyout", key.getPath(), "-out", certificate.getPath()));
    Process openssl = null;
    try {
      openssl = new ProcessBuilder(command).redirectError(Redirect.DISCARD).start();
    } catch (IOException missing) {
      abort("needs openssl, to make a certificate");
    }
    assertEquals(0, openssl.waitFor());
  }
}
