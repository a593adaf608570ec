package dev.qrumb;

import dev.qrumb.v1.EventReceipt;
import dev.qrumb.v1.Violation;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;

/**
 * Tells of events that were not delivered, and of a server that does not answer: to the caller's
 * hooks, and to the log where there are none. No line quotes an event, which may be personal.
 */
final class Hooks {
  private static final System.Logger LOG = System.getLogger("dev.qrumb");

  // A full queue refuses many a second, and so does a rule that every event breaks. Each is
  // counted.
  private static final long BETWEEN_LINES_NANOS = 1_000_000_000L;
  // A server that has not answered for so long is told of, once, while it is tried again.
  private static final Duration SILENCE = Duration.ofSeconds(5);
  private static final long NANOS_PER_SECOND = 1_000_000_000L;

  private final String url;
  private final Consumer<EventReceipt> onReceipt;
  private final BiConsumer<Event, QrumbException> onFailure;
  private final AtomicLong lossQuietUntil = new AtomicLong(System.nanoTime());
  private final AtomicLong rejectionQuietUntil = new AtomicLong(System.nanoTime());
  // Written by the sender, but for losses, which any thread may tell of.
  private volatile QrumbException cause;
  private boolean isSilent;
  private boolean isSilenceTold;
  private long silentSince;

  /** Either hook may be null: then it is logged. */
  Hooks(String url, Consumer<EventReceipt> onReceipt, BiConsumer<Event, QrumbException> onFailure) {
    this.url = url;
    this.onReceipt = onReceipt;
    this.onFailure = onFailure;
  }

  /** Whether the caller is told of failed events by a hook. */
  boolean hearsOfFailures() {
    return onFailure != null;
  }

  /** What the end of the client has to say of the events that are left, and of so many in all. */
  UndeliveredException undelivered(List<Event> left, long count) {
    return new UndeliveredException(left, count, url, cause);
  }

  void tell(List<EventReceipt> receipts) {
    if (onReceipt != null) {
      for (EventReceipt receipt : receipts) {
        guard(() -> onReceipt.accept(receipt));
      }
      return;
    }
    List<EventReceipt> rejected =
        receipts.stream().filter(one -> one.getOutcome() == EventReceipt.Outcome.REJECTED).toList();
    if (!rejected.isEmpty() && maySay(rejectionQuietUntil)) {
      LOG.log(
          System.Logger.Level.ERROR,
          "qrumb: {0} rejected {1} of {2}: {3}",
          url,
          rejected.size(),
          counted(receipts.size()),
          why(rejected.get(0)));
    }
  }

  void tellFailure(List<Event> events, QrumbException reason) {
    cause = reason;
    if (!handOver(events, reason)) {
      LOG.log(
          System.Logger.Level.ERROR,
          "qrumb: {0} not delivered to {1}: {2}",
          counted(events.size()),
          url,
          reason.getMessage());
    }
  }

  /** Gives the events to the hook; false where there is none. */
  boolean handOver(List<Event> events, QrumbException reason) {
    if (onFailure != null) {
      for (Event event : events) {
        guard(() -> onFailure.accept(event, reason));
      }
    }
    return onFailure != null;
  }

  /** What the end of the client leaves in the folder, and why. */
  void tellKept(long events, Path folder) {
    LOG.log(
        System.Logger.Level.WARNING,
        "qrumb: {0} not delivered to {1}: {2}; kept in {3}, sent at the next start",
        counted(events),
        url,
        cause == null ? "no answer yet" : cause.getMessage(),
        folder);
  }

  /** Of an event that was not taken. */
  void tellLoss(Event event, QrumbException reason) {
    cause = reason;
    if (onFailure != null) {
      boolean wasInterrupted = Thread.currentThread().isInterrupted(); // it is the caller's thread
      guard(() -> onFailure.accept(event, reason));
      if (wasInterrupted) {
        Thread.currentThread().interrupt();
      }
    } else if (maySay(lossQuietUntil)) {
      LOG.log(System.Logger.Level.ERROR, "qrumb: events are not taken: {0}", reason.getMessage());
    }
  }

  /**
   * A call of the sender failed and is repeated after that wait. A silence that will then have
   * lasted 5 s is told of, once.
   */
  void tellTried(QrumbException reason, long waiting, Duration wait) {
    cause = reason;
    long now = System.nanoTime();
    if (!isSilent) {
      isSilent = true;
      silentSince = now;
    }
    long silence = now - silentSince;
    if (wait.plusNanos(silence).compareTo(SILENCE) >= 0 && !isSilenceTold) {
      isSilenceTold = true;
      LOG.log(
          System.Logger.Level.WARNING,
          "qrumb: {0} has not answered for {1} s, {2} waiting for the next try in {3} s: {4}",
          url,
          silence / NANOS_PER_SECOND,
          counted(waiting),
          wait.toSeconds(),
          reason.getMessage());
    }
  }

  /** The server said something to the sender, if only a refusal. */
  void tellAnswered() {
    isSilent = false;
    if (isSilenceTold) {
      isSilenceTold = false;
      LOG.log(System.Logger.Level.WARNING, "qrumb: {0} answers again", url);
    }
  }

  /** The number of events in words. */
  static String counted(long events) {
    return events == 1 ? "1 event" : events + " events";
  }

  private static String why(EventReceipt rejected) {
    if (rejected.getViolationsCount() == 0) {
      return "no reason was given";
    }
    Violation first = rejected.getViolations(0);
    return first.getField() + ": " + first.getDescription();
  }

  private static boolean maySay(AtomicLong quietUntil) {
    long now = System.nanoTime();
    long quiet = quietUntil.get();
    return now - quiet >= 0 && quietUntil.compareAndSet(quiet, now + BETWEEN_LINES_NANOS);
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
