package dev.qrumb;

import dev.qrumb.v1.EventReceipt;
import dev.qrumb.v1.ScanSession;
import io.grpc.Context;
import io.grpc.Status;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;

/**
 * Sends events to a collector over gRPC. Any number of threads may use one.
 *
 * <p>An interrupted thread waits no longer: a method then ends as if its time had run out, and the
 * thread stays interrupted.
 */
public final class Client implements AutoCloseable {
  // What a caller waits for an answer, and close for all of them, unless it says otherwise.
  private static final Duration ANSWER_TIMEOUT = Duration.ofSeconds(30);
  private static final BiConsumer<Failure, Duration> NOTHING = (failure, wait) -> {};

  private final Settings settings;
  private final Transport transport;
  private final Hooks hooks;
  private final Thread sender;
  // Calls of the sender end with it.
  private final Context.CancellableContext life = Context.ROOT.withCancellation();
  private final CountDownLatch over = new CountDownLatch(1);

  private final ReentrantLock lock = new ReentrantLock();
  private final Condition work = lock.newCondition(); // the sender waits for it
  private final Condition answers = lock.newCondition(); // callers wait for it: room, flush
  private final Buffer buffer;
  private final Spool spool; // null without a folder
  private long sent;
  private long accepted;
  private long rejected;
  private long failed;
  private long retried;
  private long raised; // failed events whose callers got an error
  private int collecting;
  private int kept; // what the end of the client has left in the folder
  private boolean isClosing;
  private List<Event> undelivered = List.of();

  /** spoolDir may be null. */
  Client(Settings settings, Transport transport, Hooks hooks, Path spoolDir) {
    this.settings = settings;
    this.transport = transport;
    this.hooks = hooks;
    this.buffer = new Buffer(settings);
    this.spool = spoolDir == null ? null : open(spoolDir);
    if (spool != null) {
      spool.adopt(this::takeOver);
    }
    this.sender = new Thread(life.wrap(this::run), "qrumb-sender");
    sender.setDaemon(true);
    sender.start();
  }

  private Spool open(Path folder) {
    try {
      return new Spool(folder, 2 * settings.maxQueueBytes(), buffer);
    } catch (IllegalArgumentException unusable) {
      transport.close();
      throw unusable;
    }
  }

  /**
   * Makes a client of a collector on this machine.
   *
   * @return a builder
   */
  public static ClientBuilder builder() {
    return builder(Address.DEFAULT_URL);
  }

  /**
   * Makes a client.
   *
   * @param url {@code grpc://host:port} or {@code http://host:port}; {@code grpcs://host:port} or
   *     {@code https://host:port} for TLS
   * @return a builder
   */
  public static ClientBuilder builder(String url) {
    return new ClientBuilder(url);
  }

  /**
   * Makes a client of the environment: its URL, its key and its folder are QRUMB_URL, QRUMB_KEY and
   * QRUMB_SPOOL_DIR, where these are set and not empty.
   *
   * @return a builder
   * @throws IllegalArgumentException one of them cannot be meant; the text names the variable
   */
  public static ClientBuilder builderFromEnv() {
    return Address.fromEnvironment(System.getenv());
  }

  /**
   * Counts what became of the events so far.
   *
   * @return the counters of this moment
   */
  public Counters counters() {
    lock.lock();
    try {
      return new Counters(
          sent, accepted, rejected, failed, buffer.events() + collecting + kept, retried);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Queues an event. While the queue is full it waits for room, or throws where the settings say
   * so.
   *
   * @param event of {@link Event#server()} or {@link Event#browser()}
   * @return the event's id
   * @throws QueueFullException the queue is full; the event was not taken
   * @throws ClosedException the client is closed
   */
  public String send(Event event) {
    return send(event, Settings.FOR_EVER);
  }

  /**
   * Queues an event, and waits for room no longer than that.
   *
   * @param event of {@link Event#server()} or {@link Event#browser()}
   * @param timeout for room
   * @return the event's id
   * @throws QueueFullException the queue is full; the event was not taken
   * @throws ClosedException the client is closed
   */
  public String send(Event event, Duration timeout) {
    int size = Buffer.size(event);
    lock.lock();
    try {
      if (!isClosing && !buffer.admits(size) && !waitForRoom(size, timeout)) {
        throw new QueueFullException();
      }
      checkOpen();
      put(event, size);
      return event.id();
    } finally {
      lock.unlock();
    }
  }

  /**
   * Queues an event if there is room this very moment; never waits and never throws for want of it.
   * One that was not taken has failed: it is counted so, and the hook of onFailure is called with
   * it, here in the caller's thread.
   *
   * @param event of {@link Event#server()} or {@link Event#browser()}, or a scan
   * @return whether it was taken
   */
  public boolean offer(Event event) {
    int size = Buffer.size(event);
    QrumbException reason;
    lock.lock();
    try {
      if (!isClosing && buffer.admits(size)) {
        put(event, size);
        return true;
      }
      sent++;
      failed++;
      reason = isClosing ? new ClosedException() : new QueueFullException();
    } finally {
      lock.unlock();
    }
    hooks.tellLoss(event, reason);
    return false;
  }

  /** Queues an event for which there is room; the lock is held. */
  private void put(Event event, int size) {
    sent++;
    Spool.Place place = spool == null ? null : spool.keep(event);
    if (buffer.put(event, size, System.nanoTime(), place)) {
      work.signal();
    }
  }

  /** Queues what a client that is gone has left, if there is room; the lock is held. */
  private boolean takeOver(List<Spool.Kept> found) {
    if (!buffer.admits(found.size(), found.stream().mapToLong(Client::size).sum())) {
      return false;
    }
    for (Spool.Kept one : found) {
      buffer.put(one.event(), Buffer.size(one.event()), System.nanoTime(), one.place());
    }
    sent += found.size();
    return true;
  }

  private static long size(Spool.Kept found) {
    return Buffer.size(found.event());
  }

  /**
   * Sends an event in a call of its own, retries for 30 s, and returns its receipt, which may be
   * REJECTED.
   *
   * @param event of {@link Event#server()} or {@link Event#browser()}
   * @return the verdict
   * @throws DeliveryException the server refused the call, or gave no answer in time
   * @throws ClosedException the client is closed
   */
  public EventReceipt collect(Event event) {
    return collect(event, ANSWER_TIMEOUT);
  }

  /**
   * Sends an event in a call of its own and retries for no longer than that.
   *
   * @param event of {@link Event#server()} or {@link Event#browser()}
   * @param timeout for the answer
   * @return the verdict
   * @throws DeliveryException the server refused the call, or gave no answer in time
   * @throws ClosedException the client is closed
   */
  public EventReceipt collect(Event event, Duration timeout) {
    locked(
        () -> {
          checkOpen();
          sent++;
          collecting++;
        });
    List<Event> batch = List.of(event);
    List<EventReceipt> receipts = List.of();
    try {
      receipts = untilAnswered(limit -> transport.collect(batch, limit), timeout, NOTHING);
      return receipts.get(0);
    } catch (Failure failure) {
      throw failure.error();
    } finally {
      List<EventReceipt> found = receipts;
      locked(
          () -> {
            collecting--;
            count(found, 1);
            raised += 1 - found.size();
          });
    }
  }

  /**
   * Registers a scan, before or after its events; the same one again changes nothing. Its time is
   * now unless given. It is retried for 30 s.
   *
   * @param session the contract's message
   * @return the session as it is kept
   * @throws DeliveryException the server refused it, or gave no answer in time
   * @throws ClosedException the client is closed
   */
  public ScanSession registerScanSession(ScanSession session) {
    return registerScanSession(session, ANSWER_TIMEOUT);
  }

  /**
   * Registers a scan and retries for no longer than that.
   *
   * @param session the contract's message
   * @param timeout for the answer
   * @return the session as it is kept
   * @throws DeliveryException the server refused it, or gave no answer in time
   * @throws ClosedException the client is closed
   */
  public ScanSession registerScanSession(ScanSession session, Duration timeout) {
    locked(this::checkOpen);
    ScanSession timed =
        session.hasScanTime()
            ? session
            : session.toBuilder().setScanTime(Timestamps.of(Instant.now())).build();
    try {
      return untilAnswered(limit -> transport.register(timed, limit), timeout, NOTHING);
    } catch (Failure failure) {
      throw failure.error();
    }
  }

  /**
   * Sends what waits at once, and waits for the answers to all events that were queued before.
   *
   * @param timeout for the answers
   * @return whether they came
   */
  public boolean flush(Duration timeout) {
    checkNotInHook();
    lock.lock();
    try {
      long number = buffer.lastNumber();
      buffer.makeUrgent();
      work.signal();
      return waitUntil(() -> buffer.isSettled(number), timeout);
    } finally {
      lock.unlock();
    }
  }

  /**
   * Flushes for 30 s, then ends the client.
   *
   * @throws UndeliveredException has the events without an answer; or events had failed before, and
   *     there is no hook for them
   */
  @Override
  public void close() {
    close(ANSWER_TIMEOUT);
  }

  /**
   * Flushes for no longer than that, then ends the client. What has no answer by then is failed and
   * handed back. With a folder it ends at the first failure that a retry might cure: what is in the
   * folder is sent at the next start, and still counts as waiting.
   *
   * @param timeout for the answers
   * @throws UndeliveredException has the events without an answer; or events had failed before, and
   *     there is no hook for them
   */
  public void close(Duration timeout) {
    checkNotInHook();
    lock.lock();
    boolean isFirst = !isClosing;
    try {
      isClosing = true;
      buffer.makeUrgent();
      work.signal();
      answers.signalAll();
    } finally {
      lock.unlock();
    }
    boolean wasInterrupted = !joinSender(timeout);
    end();
    while (sender.isAlive()) {
      wasInterrupted |= !joinSender(Settings.FOR_EVER);
    }
    transport.close();
    if (wasInterrupted) {
      Thread.currentThread().interrupt();
    }
    long count = hooks.hearsOfFailures() ? undelivered.size() : failed - raised;
    if (isFirst && count > 0) {
      throw hooks.undelivered(undelivered, count);
    }
  }

  /** Waits for the sender's end; false where it was interrupted. */
  private boolean joinSender(Duration timeout) {
    try {
      TimeUnit.NANOSECONDS.timedJoin(sender, Settings.bounded(timeout).toNanos());
      return true;
    } catch (InterruptedException interrupted) {
      return false;
    }
  }

  /** Nothing is tried any more. */
  private void end() {
    over.countDown();
    life.cancel(null);
    locked(work::signal);
  }

  private boolean isOver() {
    return over.getCount() == 0;
  }

  private void checkOpen() {
    if (isClosing) {
      throw new ClosedException();
    }
  }

  private void checkNotInHook() {
    if (Thread.currentThread() == sender) {
      throw new IllegalStateException("a hook must not wait for the sender that runs it");
    }
  }

  private void locked(Runnable change) {
    lock.lock();
    try {
      change.run();
    } finally {
      lock.unlock();
    }
  }

  /** Whether there is room, or the client is closed meanwhile; the lock is held. */
  private boolean waitForRoom(int size, Duration timeout) {
    if (settings.whenFull() == WhenFull.ERROR || Thread.currentThread() == sender) {
      return false;
    }
    return waitUntil(() -> isClosing || buffer.admits(size), timeout);
  }

  /** Whether it is so within that time; the lock is held, except while it waits. */
  private boolean waitUntil(BooleanSupplier isSo, Duration timeout) {
    long left = Settings.bounded(timeout).toNanos();
    try {
      while (!isSo.getAsBoolean() && left > 0) {
        left = answers.awaitNanos(left);
      }
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
    }
    return isSo.getAsBoolean();
  }

  /** Adds verdicts on that many events; those without one have failed. The lock is held. */
  private void count(List<EventReceipt> receipts, int events) {
    for (EventReceipt receipt : receipts) {
      if (receipt.getOutcome() == EventReceipt.Outcome.ACCEPTED) {
        accepted++;
      } else {
        rejected++;
      }
    }
    failed += events - receipts.size();
  }

  /** The sender: batch after batch, until the client is closed and nothing waits. */
  private void run() {
    try {
      List<Event> batch = nextBatch();
      while (!batch.isEmpty() && deliver(batch)) {
        batch = nextBatch();
      }
    } finally {
      locked(
          () -> {
            isClosing = true;
            List<Buffer.Queued> all = buffer.takeAll();
            undelivered =
                Buffer.eventsOf(all.stream().filter(queued -> queued.place == null).toList());
            failed += undelivered.size();
            kept = all.size() - undelivered.size();
            if (spool != null) {
              spool.close();
            }
          });
      if (kept > 0) {
        hooks.tellKept(kept, spool.folder());
      }
      if (!undelivered.isEmpty()) { // without a hook, close throws it
        hooks.handOver(undelivered, hooks.undelivered(undelivered, undelivered.size()));
      }
      locked(answers::signalAll);
    }
  }

  /** Waits for a batch that is due; an empty one is the end. */
  private List<Event> nextBatch() {
    lock.lock();
    try {
      while (!isOver()) {
        long now = System.nanoTime();
        List<Event> batch = buffer.take(now);
        OptionalLong due = buffer.dueAt();
        if (!batch.isEmpty() || isClosing && due.isEmpty()) {
          return batch;
        }
        if (due.isPresent()) {
          work.awaitNanos(due.getAsLong() - now);
        } else {
          work.await();
        }
      }
      return List.of();
    } catch (InterruptedException interrupted) { // by a hook, on its own thread
      return nextBatch();
    } finally {
      lock.unlock();
    }
  }

  /** Calls until the batch has its answer; false where the client ended before. */
  private boolean deliver(List<Event> batch) {
    List<EventReceipt> receipts = List.of();
    try {
      receipts =
          untilAnswered(
              limit -> collectForSender(batch, limit), Settings.FOR_EVER, this::tellTried);
      hooks.tellAnswered();
    } catch (Failure failure) {
      if (!isOver()) {
        hooks.tellAnswered();
      }
      if (failure.isDivided(batch)) {
        int middle = batch.size() / 2;
        return deliver(batch.subList(0, middle)) && deliver(batch.subList(middle, batch.size()));
      }
      if (isOver()) {
        return false;
      }
      hooks.tellFailure(batch, failure.error());
    }
    // Told before it is settled: after a flush the caller has seen every answer.
    hooks.tell(receipts);
    List<EventReceipt> found = receipts;
    locked(
        () -> {
          count(found, batch.size());
          List<Spool.Place> places = buffer.settle(batch.size());
          if (spool != null) {
            spool.settle(places);
            if (spool.isLookDue()) {
              spool.adopt(this::takeOver);
            }
          }
          answers.signalAll();
        });
    return true;
  }

  /** In a folder, what is refused for its key waits for one that is known. */
  private List<EventReceipt> collectForSender(List<Event> batch, Duration limit) throws Failure {
    try {
      return transport.collect(batch, limit);
    } catch (Failure failure) {
      boolean isForKey = failure.error().code() == Status.Code.UNAUTHENTICATED;
      throw spool != null && isForKey ? failure.retried() : failure;
    }
  }

  private interface Call<T> {
    T within(Duration limit) throws Failure;
  }

  private void tellTried(Failure failure, Duration wait) {
    if (!isOver()) {
      hooks.tellTried(failure.error(), counters().waiting(), wait);
    }
  }

  /**
   * Calls until there is an answer that no repetition would change, or the time is over. {@code
   * tried} is told of each failure and of the wait before the repetition.
   */
  private <T> T untilAnswered(Call<T> call, Duration timeout, BiConsumer<Failure, Duration> tried)
      throws Failure {
    long started = System.nanoTime();
    for (int attempt = 1; ; attempt++) {
      Duration left = timeout.minusNanos(System.nanoTime() - started);
      Duration limit = settings.callTimeout();
      try {
        return call.within(left.compareTo(limit) < 0 ? left : limit);
      } catch (Failure failure) {
        double random = ThreadLocalRandom.current().nextDouble();
        Duration wait = Backoff.after(attempt, random, failure.stated(), settings);
        left = timeout.minusNanos(System.nanoTime() - started);
        if (!failure.isRetried() || wait.compareTo(left) >= 0) {
          throw failure;
        }
        tried.accept(failure, wait);
        if (!pause(wait)) {
          throw failure;
        }
      }
      locked(() -> retried++);
      transport.reconnect();
    }
  }

  /** Waits between two attempts; false where it is over meanwhile. */
  private boolean pause(Duration wait) {
    try {
      if (spool != null && Thread.currentThread() == sender) {
        return pauseSender(wait.toNanos());
      }
      return !over.await(wait.toNanos(), TimeUnit.NANOSECONDS);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      return false;
    }
  }

  /** As pause; at the end, what is in the folder is not waited for. */
  private boolean pauseSender(long nanos) throws InterruptedException {
    lock.lock();
    try {
      long left = nanos;
      while (left > 0 && !isOver()) {
        if (isClosing && buffer.unsettled().stream().allMatch(queued -> queued.place != null)) {
          over.countDown();
        } else {
          left = work.awaitNanos(left);
        }
      }
      return !isOver();
    } finally {
      lock.unlock();
    }
  }
}
