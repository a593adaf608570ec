package dev.qrumb;

/**
 * What became of a client's events so far: {@code sent = accepted + rejected + failed + waiting}.
 *
 * @param sent events that were taken
 * @param accepted events that are stored
 * @param rejected events that break a rule
 * @param failed events without a verdict that will get none
 * @param waiting events without an answer
 * @param retried calls that were repetitions
 */
public record Counters(
    long sent, long accepted, long rejected, long failed, long waiting, long retried) {}
