// Keeps what is said before the tag is there, and when. The same as the snippet of the README, as a file.

import type { Call } from "./types.js";

interface Stub {
  (...words: unknown[]): void;
  q?: Call[];
}

const scope = window as unknown as { qrumb?: Stub };

scope.qrumb =
  scope.qrumb ||
  function () {
    const stub = scope.qrumb as Stub;
    (stub.q = stub.q || []).push([Date.now(), arguments]);
  };
