package dev.qrumb;

import dev.qrumb.v1.BatchCollectBrowserEventsRequest;
import dev.qrumb.v1.BatchCollectServerEventsRequest;
import dev.qrumb.v1.BatchRegisterScanSessionsRequest;
import dev.qrumb.v1.BatchRegisterScanSessionsResponse;
import dev.qrumb.v1.BrowserEvent;
import dev.qrumb.v1.CollectorServiceGrpc;
import dev.qrumb.v1.EventReceipt;
import dev.qrumb.v1.EventWarning;
import dev.qrumb.v1.RegisterScanSessionRequest;
import dev.qrumb.v1.ScanSession;
import dev.qrumb.v1.ScanSessionServiceGrpc;
import dev.qrumb.v1.ServerEvent;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.stub.AbstractBlockingStub;
import io.grpc.stub.MetadataUtils;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** How a client reaches the collector: address, TLS, key, and one call at a time. */
final class Transport {
  // A batch of rejected events has many violations: more than gRPC's 4 MiB.
  private static final int MAX_ANSWER_BYTES = 64 << 20;
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  private static final Pattern OF_A_SCAN =
      Pattern.compile("scan_sessions\\[(\\d{1,4})]\\.?(.*)", Pattern.DOTALL);

  private final ManagedChannel channel;
  private final Metadata metadata = new Metadata();
  private final Settings settings;

  Transport(String url, String key, ChannelCredentials tls, Settings settings) {
    Address address = Address.parse(url, "url");
    if (tls != null && !address.isSecure()) {
      throw new IllegalArgumentException(
          "url: has no TLS, which certificates need; it begins with grpcs:// or https://");
    }
    Address.checkedKey(key, "key");
    if (!key.isEmpty()) {
      metadata.put(AUTHORIZATION, "Bearer " + key);
    }
    this.settings = settings;
    this.channel =
        Grpc.newChannelBuilder(address.target(), credentials(address.isSecure(), tls))
            .disableRetry() // Backoff is the only one that retries
            .maxInboundMessageSize(MAX_ANSWER_BYTES)
            .build();
  }

  private static ChannelCredentials credentials(boolean isSecure, ChannelCredentials tls) {
    if (!isSecure) {
      return InsecureChannelCredentials.create();
    }
    return tls == null ? TlsChannelCredentials.create() : tls;
  }

  /** Sends a batch once; its events are of one kind. Receipt i answers event i. */
  List<EventReceipt> collect(List<Event> batch, Duration timeout) throws Failure {
    Event first = batch.get(0);
    List<EventReceipt> receipts =
        first instanceof Event.Server
            ? collectServer(batch, timeout)
            : first instanceof Event.Scan
                ? registerScans(batch, timeout)
                : collectBrowser(batch, timeout);
    if (receipts.size() != batch.size() || !receipts.stream().allMatch(Transport::isVerdict)) {
      throw Failure.forGood(
          "the answer has %d receipts for %d events, or no verdicts"
              .formatted(receipts.size(), batch.size()));
    }
    return receipts;
  }

  /** Registers a scan session once. */
  ScanSession register(ScanSession session, Duration timeout) throws Failure {
    RegisterScanSessionRequest request =
        RegisterScanSessionRequest.newBuilder().setScanSession(session).build();
    return call(
            ScanSessionServiceGrpc.newBlockingStub(channel),
            timeout,
            stub -> stub.registerScanSession(request))
        .getScanSession();
  }

  /** Else a connection that has seen a long outage looks for its server only every two minutes. */
  void reconnect() {
    channel.resetConnectBackoff();
  }

  void close() {
    channel.shutdownNow();
  }

  private List<EventReceipt> collectServer(List<Event> batch, Duration timeout) throws Failure {
    BatchCollectServerEventsRequest.Builder request = BatchCollectServerEventsRequest.newBuilder();
    for (Event event : batch) {
      request.addEvents((ServerEvent) event.message());
    }
    return call(
            CollectorServiceGrpc.newBlockingStub(channel),
            timeout,
            stub -> stub.batchCollectServerEvents(request.build()))
        .getReceiptsList();
  }

  private List<EventReceipt> collectBrowser(List<Event> batch, Duration timeout) throws Failure {
    BatchCollectBrowserEventsRequest.Builder request =
        BatchCollectBrowserEventsRequest.newBuilder();
    for (Event event : batch) {
      request.addEvents((BrowserEvent) event.message());
    }
    return call(
            CollectorServiceGrpc.newBlockingStub(channel),
            timeout,
            stub -> stub.batchCollectBrowserEvents(request.build()))
        .getReceiptsList();
  }

  /** Scans are registered all or none, so each gets a receipt that says ACCEPTED. */
  private List<EventReceipt> registerScans(List<Event> batch, Duration timeout) throws Failure {
    BatchRegisterScanSessionsRequest.Builder request =
        BatchRegisterScanSessionsRequest.newBuilder();
    for (Event event : batch) {
      request.addScanSessions((ScanSession) event.message());
    }
    BatchRegisterScanSessionsResponse answer =
        call(
            ScanSessionServiceGrpc.newBlockingStub(channel),
            timeout,
            stub -> stub.batchRegisterScanSessions(request.build()));
    List<EventReceipt.Builder> receipts =
        answer.getScanSessionsList().stream().map(Transport::accepted).toList();
    for (EventWarning warning : answer.getWarningsList()) {
      Matcher place = OF_A_SCAN.matcher(warning.getField());
      if (place.matches() && Integer.parseInt(place.group(1)) < receipts.size()) {
        receipts
            .get(Integer.parseInt(place.group(1)))
            .addWarnings(warning.toBuilder().setField(place.group(2)));
      }
    }
    return receipts.stream().map(EventReceipt.Builder::build).toList();
  }

  private static EventReceipt.Builder accepted(ScanSession scan) {
    return EventReceipt.newBuilder()
        .setEventId(scan.getScanSessionId())
        .setOutcome(EventReceipt.Outcome.ACCEPTED);
  }

  private <S extends AbstractBlockingStub<S>, T> T call(
      S stub, Duration timeout, Function<S, T> method) throws Failure {
    AtomicReference<Metadata> headers = new AtomicReference<>();
    AtomicReference<Metadata> trailers = new AtomicReference<>();
    S prepared =
        stub.withDeadlineAfter(timeout.toNanos(), TimeUnit.NANOSECONDS)
            .withInterceptors(
                MetadataUtils.newAttachHeadersInterceptor(metadata),
                MetadataUtils.newCaptureMetadataInterceptor(headers, trailers));
    try {
      return method.apply(settings.gzip() ? prepared.withCompression("gzip") : prepared);
    } catch (StatusRuntimeException thrown) {
      throw Failure.of(thrown, headers.get());
    }
  }

  private static boolean isVerdict(EventReceipt receipt) {
    return receipt.getOutcome() == EventReceipt.Outcome.ACCEPTED
        || receipt.getOutcome() == EventReceipt.Outcome.REJECTED;
  }
}
