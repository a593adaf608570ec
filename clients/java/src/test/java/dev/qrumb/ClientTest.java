package dev.qrumb;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.net.httpserver.HttpServer;
import io.grpc.InsecureChannelCredentials;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** What the shared cases do not ask; nothing listens at this address. */
@Timeout(30)
class ClientTest {
  private static final String UNUSED = "grpc://127.0.0.1:9";
  private static final Event EVENT = Event.browser().siteId("demo").build();

  @Test
  void wrongSettingsAreRefused() {
    List<ClientBuilder> wrong =
        List.of(
            Client.builder("grpc://"),
            Client.builder(UNUSED).tls(InsecureChannelCredentials.create()),
            Client.builder(UNUSED).maxBatchEvents(1001),
            Client.builder(UNUSED).maxBatchBytes(0),
            Client.builder(UNUSED).maxBatchDelay(Duration.ofMillis(-1)),
            Client.builder(UNUSED).maxQueueEvents(0),
            Client.builder(UNUSED).maxQueueBytes(0),
            Client.builder(UNUSED).callTimeout(Duration.ZERO),
            Client.builder(UNUSED).maxBackoff(Duration.ofMillis(1)));
    for (ClientBuilder builder : wrong) {
      assertThrows(IllegalArgumentException.class, builder::build);
    }
  }

  @Test
  void anEndlessDurationIsOne() {
    Duration endless = ChronoUnit.FOREVER.getDuration();
    Client client = Client.builder(UNUSED).maxBatchDelay(endless).maxBackoff(endless).build();
    client.send(EVENT, endless);
    assertThrows(UndeliveredException.class, () -> client.close(Duration.ZERO));
  }

  @Test
  void theEndSaysHowManyAreLeftAndWhy() {
    Client client = Client.builder(UNUSED).build();
    client.send(EVENT);
    UndeliveredException error =
        assertThrows(UndeliveredException.class, () -> client.close(Duration.ofSeconds(2)));
    assertEquals(1, error.count());
    String said = "1 event not delivered to " + UNUSED + ": ";
    assertTrue(error.getMessage().startsWith(said), error.getMessage());
    assertTrue(error.getMessage().contains("refused"), error.getMessage());
  }

  @Test
  void clientsOfOneProcessShareAFolder(@TempDir Path folder) {
    List<Client> clients =
        Stream.generate(() -> Client.builder(UNUSED).spoolDir(folder).build()).limit(2).toList();
    clients.forEach(client -> client.send(EVENT));
    Thread.currentThread().interrupt(); // it closes no file
    clients.forEach(client -> client.send(EVENT));
    assertTrue(Thread.interrupted());
    for (Client client : clients) {
      client.close();
      assertEquals(2, client.counters().waiting());
    }
    try (Client last = Client.builder(UNUSED).spoolDir(folder).build()) {
      assertEquals(4, last.counters().sent());
    }
    ClientBuilder wrong = Client.builder(UNUSED).spoolDir(Path.of("/dev/null/folder"));
    assertThrows(IllegalArgumentException.class, wrong::build);
  }

  @Test
  void whatSpeaksNoHttp2IsNoAnswer() throws Exception {
    HttpServer other = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
    other.start();
    String url = "grpc://127.0.0.1:" + other.getAddress().getPort();
    Client client = Client.builder(url).build();
    try {
      client.send(EVENT);
      assertFalse(client.flush(Duration.ofSeconds(2)));
    } finally {
      assertThrows(UndeliveredException.class, () -> client.close(Duration.ZERO));
      other.stop(0);
    }
  }

  @Test
  void collectSaysThatNoNodeAnswered() {
    try (Client client = Client.builder(UNUSED).build()) {
      DeliveryException error =
          assertThrows(DeliveryException.class, () -> client.collect(EVENT, Duration.ofSeconds(3)));
      assertEquals(io.grpc.Status.Code.UNAVAILABLE, error.code());
      assertEquals(new Counters(1, 0, 0, 1, 0, client.counters().retried()), client.counters());
    }
  }

  @Test
  void sendWaitsForRoomAsLongAsItIsTold() {
    Client client = Client.builder(UNUSED).maxQueueEvents(1).build();
    client.send(EVENT);
    assertThrows(QueueFullException.class, () -> client.send(EVENT, Duration.ofMillis(100)));
    assertThrows(UndeliveredException.class, () -> client.close(Duration.ZERO));
  }

  @Test
  void aSendThatWaitsIsWokenByTheEnd() throws InterruptedException {
    Client client = Client.builder(UNUSED).maxQueueEvents(1).build();
    client.send(EVENT);
    List<Exception> thrown = new ArrayList<>();
    Thread sending =
        new Thread(() -> thrown.add(assertThrows(ClosedException.class, () -> client.send(EVENT))));
    sending.start();
    assertThrows(UndeliveredException.class, () -> client.close(Duration.ofMillis(200)));
    sending.join();
    assertEquals(1, thrown.size());
  }

  @Test
  void anInterruptedThreadWaitsNoLonger() {
    Client client = Client.builder(UNUSED).maxQueueEvents(1).build();
    client.send(EVENT);
    Thread.currentThread().interrupt();
    assertThrows(QueueFullException.class, () -> client.send(EVENT));
    assertFalse(client.flush(Duration.ofDays(1)));
    assertThrows(DeliveryException.class, () -> client.collect(EVENT));
    assertThrows(UndeliveredException.class, client::close);
    assertTrue(Thread.interrupted(), "stays interrupted");
  }

  @Test
  void aHookCannotStopTheSender() throws InterruptedException {
    List<Throwable> thrown = new ArrayList<>();
    CountDownLatch both = new CountDownLatch(2);
    List<Client> own = new ArrayList<>();
    Client client =
        Client.builder(UNUSED)
            .onFailure(
                (event, reason) -> {
                  both.countDown();
                  thrown.add(assertThrows(IllegalStateException.class, own.get(0)::close));
                  throw new IllegalStateException("of the caller");
                })
            .build();
    own.add(client);
    client.send(EVENT);
    client.send(EVENT);
    UndeliveredException left =
        assertThrows(UndeliveredException.class, () -> client.close(Duration.ZERO));
    both.await();
    assertEquals(List.of(EVENT, EVENT), left.events());
    assertEquals(2, thrown.size());
    assertInstanceOf(IllegalStateException.class, thrown.get(0));
    client.close(); // again, which does nothing
  }
}
