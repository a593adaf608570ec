// What the unit tests look at. Not part of the package's interface.

export { uuid7 } from "./ids.js";
export { backoff, isRetried, Outbox } from "./outbox.js";
export { statedDelay } from "./post.js";
export { restrict } from "./tag.js";
export { cut, wellFormedJson } from "./text.js";
export { bare, sendable, valueOf, without } from "./urls.js";
