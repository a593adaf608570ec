// What the unit tests look at. Not part of the package's interface.

export { uuid7 } from "./ids";
export { backoff, isRetried, Outbox } from "./outbox";
export { statedDelay } from "./post";
export { restrict } from "./tag";
export { bare, sendable, valueOf, without } from "./urls";
