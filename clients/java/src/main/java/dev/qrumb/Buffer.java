package dev.qrumb;

import com.google.protobuf.CodedOutputStream;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.Deque;
import java.util.List;
import java.util.Objects;
import java.util.OptionalLong;
import java.util.stream.Stream;

/**
 * The bounded queue with its batches, free of threads, clocks and I/O. What was put stays in it
 * until settle, which its answer or the end of the client causes. Times are of System.nanoTime.
 */
final class Buffer {
  /** An event in the queue; number is its place in the order of sending. */
  static final class Queued {
    final Event event;
    private final int size;
    private final long queuedAt;
    private final long number;

    /** Where it is in the folder; null: in memory alone. */
    Spool.Place place;

    private Queued(Event event, int size, long queuedAt, long number, Spool.Place place) {
      this.event = event;
      this.size = size;
      this.queuedAt = queuedAt;
      this.number = number;
      this.place = place;
    }
  }

  /** The waiting events of one kind, which has batches of its own. */
  private static final class Lane {
    final Deque<Queued> events = new ArrayDeque<>();
    long size;
  }

  private final Settings settings;
  private final Lane server = new Lane();
  private final Lane browser = new Lane();
  private final Lane scan = new Lane();
  private List<Queued> underWay = List.of();
  private int events;
  private long bytes;
  private long lastNumber = -1;
  private long urgentThrough = -1;

  Buffer(Settings settings) {
    this.settings = settings;
  }

  /** Its bytes within a batch. */
  static int size(Event event) {
    int size = event.message().getSerializedSize();
    return 1 + CodedOutputStream.computeUInt32SizeNoTag(size) + size;
  }

  /** Events without an answer. */
  int events() {
    return events;
  }

  /** Number of the event that was put last; -1 before the first. */
  long lastNumber() {
    return lastNumber;
  }

  /** Whether there is room for an event of so many bytes; an empty queue has room for any. */
  boolean admits(int size) {
    return events == 0
        || events < settings.maxQueueEvents() && bytes + size <= settings.maxQueueBytes();
  }

  /** Whether there is room for so many; an empty queue has room for any. */
  boolean admits(int count, long size) {
    return events == 0
        || events + count <= settings.maxQueueEvents() && bytes + size <= settings.maxQueueBytes();
  }

  /**
   * Adds an event for which there is room; says whether the sender has to look at its clock again.
   */
  boolean put(Event event, int size, long now, Spool.Place place) {
    lastNumber++;
    Lane lane =
        event instanceof Event.Server ? server : event instanceof Event.Scan ? scan : browser;
    lane.events.add(new Queued(event, size, now, lastNumber, place));
    lane.size += size;
    events++;
    bytes += size;
    return lane.events.size() == 1 || isFull(lane);
  }

  /** Makes everything that waits now due at once. */
  void makeUrgent() {
    urgentThrough = lastNumber;
  }

  /** When the next batch is due; empty while nothing waits. */
  OptionalLong dueAt() {
    return filled().mapToLong(this::dueAt).reduce((one, other) -> one - other < 0 ? one : other);
  }

  /** The next batch if one is due, else an empty one. It is under way until it is settled. */
  List<Event> take(long now) {
    underWay =
        filled()
            .filter(lane -> dueAt(lane) - now <= 0)
            .min(Comparator.comparingLong(lane -> lane.events.element().number))
            .map(this::cut)
            .orElse(List.of());
    return eventsOf(underWay);
  }

  /**
   * The batch under way has its answer, or so many events that come first of it; says where these
   * were in the folder.
   */
  List<Spool.Place> settle(int count) {
    List<Queued> settled = underWay.subList(0, count);
    events -= count;
    bytes -= settled.stream().mapToLong(queued -> queued.size).sum();
    underWay = underWay.subList(count, underWay.size());
    return settled.stream().map(queued -> queued.place).filter(Objects::nonNull).toList();
  }

  /** Everything without an answer, in the order of sending. */
  List<Queued> unsettled() {
    List<Queued> all = new ArrayList<>(underWay);
    filled().forEach(lane -> all.addAll(lane.events));
    all.sort(Comparator.comparingLong(queued -> queued.number));
    return all;
  }

  /** Everything, in the order of sending; it is settled by that. */
  List<Queued> takeAll() {
    final List<Queued> all = unsettled();
    for (Lane lane : List.of(server, browser, scan)) {
      lane.events.clear();
      lane.size = 0;
    }
    underWay = List.of();
    events = 0;
    bytes = 0;
    return all;
  }

  /** Whether every event up to that number has its answer. */
  boolean isSettled(long number) {
    return underWay.stream().allMatch(queued -> queued.number > number)
        && filled().allMatch(lane -> lane.events.element().number > number);
  }

  private Stream<Lane> filled() {
    return Stream.of(server, browser, scan).filter(lane -> !lane.events.isEmpty());
  }

  private boolean isFull(Lane lane) {
    return lane.events.size() >= settings.maxBatchEvents() || lane.size >= settings.maxBatchBytes();
  }

  private long dueAt(Lane lane) {
    Queued head = lane.events.element();
    return isFull(lane) || head.number <= urgentThrough
        ? head.queuedAt
        : head.queuedAt + settings.maxBatchDelay().toNanos();
  }

  private List<Queued> cut(Lane lane) {
    List<Queued> batch = new ArrayList<>();
    long size = 0;
    while (!lane.events.isEmpty() && batch.size() < settings.maxBatchEvents()) {
      int next = lane.events.element().size;
      if (!batch.isEmpty() && size + next > settings.maxBatchBytes()) {
        break;
      }
      size += next;
      batch.add(lane.events.remove());
    }
    lane.size -= size;
    return batch;
  }

  static List<Event> eventsOf(List<Queued> queued) {
    return queued.stream().map(one -> one.event).toList();
  }
}
