/** What stands where an answer is not there: waiting, a refusal, nothing yet. */

import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";

import { Away, Refusal } from "./api";
import { site } from "./address";
import { firstEventLine } from "./curl";
import { seconds } from "./words";
import type { Question } from "./question";

const SLOW_MS = 4000;

/** The answer once it is there; before that, and beside it, what the reader should know. */
export function Answered<T>({ question, children }: { question: Question<T>; children: (answer: T) => ComponentChildren }) {
  const { answer, error, askedAt, again } = question;
  return (
    <>
      {error && !(error instanceof Away) && <Failed error={error} again={again} />}
      {error instanceof Away && answer === undefined && <p class="quiet" role="status">{sentence(error.message)} Trying again.</p>}
      {askedAt !== undefined && <Waiting since={askedAt} isFirst={answer === undefined} />}
      {answer !== undefined && children(answer)}
    </>
  );
}

function Waiting({ since, isFirst }: { since: number; isFirst: boolean }) {
  const now = useNow(1000);
  const waited = now - since;
  if (waited < SLOW_MS) return isFirst ? <p class="quiet waiting" role="status">Loading…</p> : null;
  return <p class="quiet waiting" role="status">The node takes its time: waiting for {seconds(waited / 1000)}.</p>;
}

export function Failed({ error, again }: { error: Error; again?: () => void }) {
  return (
    <div class="note bad" role="alert">
      <p>{sentence(error.message)}{error instanceof Refusal && error.help && <> <a href={error.help}>What this means</a></>}</p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

/** For a site that has nothing yet. */
export function Empty({ children }: { children?: ComponentChildren }) {
  return (
    <div class="note">
      <h2>{children ?? <>Nothing has arrived for {site.value} yet</>}</h2>
      <p>Send your first event; it shows up here within a second or two:</p>
      <Copyable text={firstEventLine(site.value)} label="Copy the curl line" />
    </div>
  );
}

/** A text to take away. */
export function Copyable({ text, label }: { text: string; label: string }) {
  return (
    <div class="copyable">
      <pre tabIndex={0}>{text}</pre>
      <CopyButton text={text} label={label} />
    </div>
  );
}

export function CopyButton({ text, label }: { text: string; label: string }) {
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      setSaid("Copying is not allowed here: mark the text and copy it");
    }
  };
  return <button type="button" class="plain" onClick={() => void copy()} aria-live="polite">{said || label}</button>;
}

/** The time, every so often. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}

/** Texts of the node begin in lower case and end without a stop. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
