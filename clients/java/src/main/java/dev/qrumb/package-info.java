/**
 * Sends events to a qrumb collector over gRPC.
 *
 * <p>{@link dev.qrumb.Client#send(dev.qrumb.Event)} queues an event and returns; one thread sends
 * batches, retries what a retry can cure, and reports every event's fate. {@link
 * dev.qrumb.Client#collect(dev.qrumb.Event)} sends one event in a call of its own and returns its
 * receipt. The messages of the contract are in package {@code dev.qrumb.v1}.
 *
 * <p>An event leaves a client in one of three ways, each counted and reported: accepted and
 * rejected (a receipt, to the hook of {@link dev.qrumb.ClientBuilder#onReceipt}), failed (an error
 * that no retry cures, or no answer until the end of {@link dev.qrumb.Client#close()}; to the hook
 * of {@link dev.qrumb.ClientBuilder#onFailure}). There is no fourth way.
 */
package dev.qrumb;
