package dev.qrumb;

import dev.qrumb.v1.EventReceipt;
import io.grpc.ChannelCredentials;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Makes a client. Every setting has a default that suits a backend. */
public final class ClientBuilder {
  private final String url;
  private String key = "";
  private ChannelCredentials tls;
  private Path spoolDir;
  private Consumer<EventReceipt> onReceipt;
  private BiConsumer<Event, QrumbException> onFailure;
  private int maxBatchEvents = 500;
  private int maxBatchBytes = 1 << 20;
  private Duration maxBatchDelay = Duration.ofMillis(100);
  private int maxQueueEvents = 10_000;
  private long maxQueueBytes = 32 << 20;
  private WhenFull whenFull = WhenFull.BLOCK;
  private Duration callTimeout = Duration.ofSeconds(10);
  private Duration firstBackoff = Duration.ofMillis(100);
  private Duration maxBackoff = Duration.ofSeconds(10);
  private boolean gzip;

  ClientBuilder(String url) {
    this.url = Objects.requireNonNull(url);
  }

  /**
   * Sets the site's key, which goes with every call as {@code authorization: Bearer}.
   *
   * @param key the key; empty: none
   * @return this
   */
  public ClientBuilder key(String key) {
    this.key = Objects.requireNonNull(key);
    return this;
  }

  /**
   * Sets roots and certificates for an address with TLS. Else they are Java's own.
   *
   * @param credentials such as of {@link io.grpc.TlsChannelCredentials}
   * @return this
   */
  public ClientBuilder tls(ChannelCredentials credentials) {
    this.tls = Objects.requireNonNull(credentials);
    return this;
  }

  /**
   * Sets a folder in which what is queued survives this process. Processes may share one. Default
   * none.
   *
   * @param folder made where it is missing; empty: none
   * @return this
   */
  public ClientBuilder spoolDir(Path folder) {
    this.spoolDir = folder.toString().isEmpty() ? null : folder;
    return this;
  }

  /**
   * Sets what is called with every receipt of a sent event, in the order of the events of a batch.
   * It runs in the sender: it must not call flush or close, and a send that finds the queue full
   * fails at once. What it throws is logged. Without it rejections are logged.
   *
   * @param hook called with the receipt
   * @return this
   */
  public ClientBuilder onReceipt(Consumer<EventReceipt> hook) {
    this.onReceipt = Objects.requireNonNull(hook);
    return this;
  }

  /**
   * Sets what is called with every event that has no receipt and will get none, as {@link
   * #onReceipt} is. Without it such events are logged as a number, and {@link Client#close()}
   * throws.
   *
   * @param hook called with the event and the reason
   * @return this
   */
  public ClientBuilder onFailure(BiConsumer<Event, QrumbException> hook) {
    this.onFailure = Objects.requireNonNull(hook);
    return this;
  }

  /**
   * Sets when a batch goes by the number of its events. Default 500.
   *
   * @param events 1 to 1,000
   * @return this
   */
  public ClientBuilder maxBatchEvents(int events) {
    this.maxBatchEvents = events;
    return this;
  }

  /**
   * Sets when a batch goes by its bytes: before one event more would make it larger than this. A
   * larger event goes alone. Default 1 MiB.
   *
   * @param bytes at most 4 MiB
   * @return this
   */
  public ClientBuilder maxBatchBytes(int bytes) {
    this.maxBatchBytes = bytes;
    return this;
  }

  /**
   * Sets how long after its first event was queued a batch goes in any case. Default 100 ms.
   *
   * @param delay not negative
   * @return this
   */
  public ClientBuilder maxBatchDelay(Duration delay) {
    this.maxBatchDelay = delay;
    return this;
  }

  /**
   * Sets how many events may be without an answer, those of the call under way included. Default
   * 10,000.
   *
   * @param events above 0
   * @return this
   */
  public ClientBuilder maxQueueEvents(int events) {
    this.maxQueueEvents = events;
    return this;
  }

  /**
   * Sets how many bytes these may have. An event always fits into an empty queue. Default 32 MiB.
   *
   * @param bytes above 0
   * @return this
   */
  public ClientBuilder maxQueueBytes(long bytes) {
    this.maxQueueBytes = bytes;
    return this;
  }

  /**
   * Sets what send does while the queue is full. Default {@link WhenFull#BLOCK}.
   *
   * @param whenFull wait or throw
   * @return this
   */
  public ClientBuilder whenFull(WhenFull whenFull) {
    this.whenFull = Objects.requireNonNull(whenFull);
    return this;
  }

  /**
   * Sets the deadline of one call. Running out of it is tried again. Default 10 s.
   *
   * @param timeout above 0
   * @return this
   */
  public ClientBuilder callTimeout(Duration timeout) {
    this.callTimeout = timeout;
    return this;
  }

  /**
   * Sets the ceiling of the wait after the first failure; it is doubled by each that follows.
   * Default 100 ms.
   *
   * @param backoff above 0
   * @return this
   */
  public ClientBuilder firstBackoff(Duration backoff) {
    this.firstBackoff = backoff;
    return this;
  }

  /**
   * Sets the ceiling of every wait, unless the server asks for more. Default 10 s.
   *
   * @param backoff not below the first
   * @return this
   */
  public ClientBuilder maxBackoff(Duration backoff) {
    this.maxBackoff = backoff;
    return this;
  }

  /**
   * Compresses calls. It costs CPU on both sides and saves about two thirds of the bytes on the
   * line.
   *
   * @return this
   */
  public ClientBuilder gzip() {
    this.gzip = true;
    return this;
  }

  /**
   * Makes the client. It does not wait for a connection.
   *
   * @return the client
   * @throws IllegalArgumentException the URL or a setting cannot be meant
   */
  public Client build() {
    Settings settings = settings();
    return new Client(
        settings,
        new Transport(url, key, tls, settings),
        new Hooks(url, onReceipt, onFailure),
        spoolDir);
  }

  String url() {
    return url;
  }

  String key() {
    return key;
  }

  Settings settings() {
    return new Settings(
        maxBatchEvents,
        maxBatchBytes,
        maxBatchDelay,
        maxQueueEvents,
        maxQueueBytes,
        whenFull,
        callTimeout,
        firstBackoff,
        maxBackoff,
        gzip);
  }
}
