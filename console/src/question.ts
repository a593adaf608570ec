/** A question to the node as a component sees it: asked, answered, refused; asked again where the node was away. */

import { useEffect, useState } from "preact/hooks";

import { Away } from "./api";
import { isOfTheKey, turnedAway } from "./session";

export interface Question<T> {
  /** The last answer; stays while the next one is on its way, so that nothing jumps. */
  readonly answer?: T;
  readonly error?: Error;
  /** Since when it waits; undefined: it does not. */
  readonly askedAt?: number;
  readonly again: () => void;
}

const AGAIN_MS = 2000;

/** Ask whenever what is asked changes.
 *
 * @param about - what is asked, as plain values
 * @param pause - after which an answer is asked for again, while the page is looked at; 0: not again
 */
export function useQuestion<T>(
  ask: (signal: AbortSignal) => Promise<T>,
  about: readonly unknown[],
  pause: (answer: T) => number = () => 0,
): Question<T> {
  const [state, setState] = useState<{ answer?: T; error?: Error; askedAt?: number }>({});
  const [turn, setTurn] = useState(0);
  const subject = JSON.stringify(about);

  useEffect(() => {
    const ended = new AbortController();
    let timer = 0;
    let asked = false;
    const later = (delay: number): void => {
      timer = window.setTimeout(() => void once(), delay);
    };
    const once = async (): Promise<void> => {
      if (document.hidden && asked) return later(AGAIN_MS);
      asked = true;
      setState((before) => ({ ...before, askedAt: before.askedAt ?? Date.now() }));
      try {
        const answer = await ask(ended.signal);
        if (ended.signal.aborted) return;
        setState({ answer });
        const delay = pause(answer);
        if (delay) later(delay);
      } catch (error) {
        if (ended.signal.aborted) return;
        if (isOfTheKey(error)) return turnedAway(error);
        setState(({ answer }) => ({ answer, error: error as Error }));
        if (error instanceof Away) later(AGAIN_MS);
      }
    };
    void once();
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [subject, turn]);

  return { ...state, again: () => setTurn(turn + 1) };
}
