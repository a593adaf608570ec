package dev.qrumb;

/** What {@link Client#send(Event)} does while the queue is full. */
public enum WhenFull {
  /** Waits for room. */
  BLOCK,
  /** Throws {@link QueueFullException}. */
  ERROR
}
