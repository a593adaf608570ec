// Which failures a repetition can cure, and how long to wait before it.

import { Code, ConnectError } from "@connectrpc/connect";

import { RetryInfoSchema } from "./gen/google/rpc/error_details_pb.js";

const CURED_BY_TIME: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.Aborted,
  Code.Canceled,
]);

/** Whether the same call may succeed later. A full server says when; a message that is too large never fits. */
export function isRetried(code: Code, hasStatedDelay: boolean): boolean {
  return CURED_BY_TIME.has(code) || (code === Code.ResourceExhausted && hasStatedDelay);
}

/** Milliseconds that the service asked for: RetryInfo, which knows fractions, else the header retry-after. */
export function statedDelay(error: ConnectError): number | undefined {
  const [info] = error.findDetails(RetryInfoSchema);
  if (info?.retryDelay) return Number(info.retryDelay.seconds) * 1000 + info.retryDelay.nanos / 1e6;
  const seconds = error.metadata.get("retry-after");
  return seconds !== null && /^\d+$/.test(seconds.trim()) ? Number(seconds) * 1000 : undefined;
}

/** Wait before the next attempt in milliseconds; `attempt` counts the failures from 1, `random` is in [0, 1). */
export function backoff(
  settings: { firstBackoffMs: number; maxBackoffMs: number },
  attempt: number,
  random: number,
  stated?: number,
): number {
  if (stated) return stated + (random * stated) / 4;
  const full = Math.min(settings.maxBackoffMs, settings.firstBackoffMs * 2 ** (attempt - 1));
  return full / 2 + (random * full) / 2;
}
