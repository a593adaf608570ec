package dev.qrumb;

import dev.qrumb.v1.EventReceipt;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/** Tells the caller what became of events. {@code onFailure} may be null: then it is logged. */
record Hooks(Consumer<EventReceipt> onReceipt, BiConsumer<Event, QrumbException> onFailure) {
  private static final System.Logger LOG = System.getLogger("dev.qrumb");

  // A full queue refuses many a second; each is counted.
  private static final long SILENCE_NANOS = 1_000_000_000L;
  private static final AtomicLong SILENT_UNTIL = new AtomicLong(System.nanoTime());

  void tell(List<EventReceipt> receipts) {
    for (EventReceipt receipt : receipts) {
      guard(() -> onReceipt.accept(receipt));
    }
  }

  void tellFailure(List<Event> events, QrumbException reason) {
    if (onFailure == null) {
      // Without an event's content, which may be personal.
      LOG.log(System.Logger.Level.ERROR, "qrumb: {0} events failed: {1}", events.size(), reason);
      return;
    }
    for (Event event : events) {
      guard(() -> onFailure.accept(event, reason));
    }
  }

  /** Of an event that was not taken; the log says at most once a second that there are some. */
  void tellLoss(Event event, QrumbException reason) {
    if (onFailure != null) {
      boolean wasInterrupted = Thread.currentThread().isInterrupted(); // it is the caller's thread
      guard(() -> onFailure.accept(event, reason));
      if (wasInterrupted) {
        Thread.currentThread().interrupt();
      }
      return;
    }
    long now = System.nanoTime();
    long silent = SILENT_UNTIL.get();
    if (now - silent >= 0 && SILENT_UNTIL.compareAndSet(silent, now + SILENCE_NANOS)) {
      LOG.log(System.Logger.Level.ERROR, "qrumb: events are not taken: {0}", reason);
    }
  }

  /** The hook is the caller's code; its fault must not stop the sender. */
  private static void guard(Runnable hook) {
    try {
      hook.run();
    } catch (RuntimeException | Error fault) {
      LOG.log(System.Logger.Level.ERROR, "qrumb: a hook threw", fault);
    } finally {
      Thread.interrupted(); // else a hook that was interrupted would break off the next call
    }
  }
}
