/** One event: its fate with the times of its stations, the row that it became, and how to ask for it elsewhere. */

import { useState } from "preact/hooks";

import { ask, collectPath, send } from "./api";
import { pageHref, site } from "./address";
import type { EventRow, Receipt, RejectedEvent, Replayed } from "./contract";
import { receiptLine, sendLine } from "./curl";
import type { State } from "./feed";
import { useQuestion } from "./question";
import { Answered, Copyable, Failed } from "./states";
import { Findings, Verdict } from "./verdict";
import { clock, count, moment, plural, seconds } from "./words";

/** How often an event is asked for that is still on its way, and one that was never seen. */
const WATCH_MS = 1000;
const LOOK_MS = 3000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** An event by its id, asked for until it has arrived where it stays. */
export function EventDetail({ id, rejected }: { id: string; rejected?: RejectedEvent }) {
  if (UUID.test(id)) return <Watched id={id} rejected={rejected} />;
  return rejected ? <Rejection event={rejected} /> : <p class="note">An event_id is a UUID, such as 0197a3c4-6f1e-7c3a-9d51-6b0e4f2a8c1d.</p>;
}

function Watched({ id, rejected }: { id: string; rejected?: RejectedEvent }) {
  const name = site.value;
  const question = useQuestion<Receipt & { seenAt: number }>(
    async (signal) => ({ ...(await ask<Receipt>(`/v1/sites/${encodeURIComponent(name)}/receipts/${id}`, {}, signal)), seenAt: Date.now() }),
    [name, id],
    ({ fate }) => (fate === "SPOOLED" ? WATCH_MS : fate === "NOT_SEEN" ? LOOK_MS : 0),
  );
  return (
    <Answered question={question}>
      {(receipt) => (
        <div class="detail">
          <Fate receipt={receipt} />
          <Findings findings={receipt.violations} title="Why it was rejected" />
          <Findings findings={receipt.warnings} title="Worth knowing" />
          {receipt.touches.length > 0 && <Touches receipt={receipt} />}
          {receipt.row && <Row row={receipt.row} title="The row" />}
          {rejected && receipt.fate === "REJECTED" && <Payload event={rejected} />}
          <h3>Ask for it elsewhere</h3>
          <Copyable text={receiptLine(name, id)} label="Copy as curl" />
        </div>
      )}
    </Answered>
  );
}

const FATES: Readonly<Record<Receipt["fate"], { state?: State; text: string }>> = {
  NOT_SEEN: { text: "Not seen. This node has neither stored nor rejected it, and it is not in its spool. This page keeps looking." },
  SPOOLED: { state: "spooled", text: "Accepted and on disk, not in ClickHouse yet." },
  STORED: { state: "stored", text: "A row that counts." },
  DUPLICATE: { state: "duplicate", text: "Received more than once: one row counts, the others are marked as duplicates." },
  REJECTED: { state: "rejected", text: "It breaks a rule, and counts nowhere." },
};

function Fate({ receipt }: { receipt: Receipt & { seenAt: number } }) {
  const { state, text } = FATES[receipt.fate];
  const row = receipt.row;
  const arrivals = receipt.arrival_count > 1 ? ` ${plural(receipt.arrival_count, "arrival")}${receipt.conflict_count ? `, ${count(receipt.conflict_count)} with other contents` : ""}.` : "";
  return (
    <section aria-live="polite">
      <p>{state && <Verdict state={state} isFraud={!!row?.is_fraud} />} {text}{arrivals}</p>
      {!!row?.is_fraud && <p>Not believed, because of: {row.fraud_reasons.join(", ")}. It is stored like any other, and left out of conversions.</p>}
      <ol class="stations">
        {row && <li class="done"><b>Happened</b> {moment(row.event_time)}{row.client_event_time && <> – the sender's clock said {moment(row.client_event_time)}, which cannot be true</>}</li>}
        {receipt.received_time && <li class="done"><b>Received, on disk</b> {moment(receipt.received_time)}{row && <Delay from={row.event_time} to={receipt.received_time} />}</li>}
        {receipt.fate === "REJECTED"
          ? <li class="done"><b>Rejected</b> kept beside the others, redacted, to be replayed once a rule was corrected</li>
          : <li class={row ? "done" : ""}><b>{row ? "Stored in ClickHouse" : "Not stored yet"}</b> {row ? `seen at ${clock(receipt.seenAt)}` : ""}</li>}
        {row && <li class={row.qr_code_id ? "done" : ""}><b>{row.qr_code_id ? <>QR code <a href={pageHref("codes", { code: row.qr_code_id })}>{row.qr_code_id}</a></> : "No QR code"}</b> {row.qr_code_id ? "" : row.scan_session_id ? "its scan session is not registered (yet)" : "it names no scan session"}</li>}
      </ol>
    </section>
  );
}

function Delay({ from, to }: { from: string; to: string }) {
  const late = (Date.parse(to) - Date.parse(from)) / 1000;
  return late >= 1 ? <span class="quiet"> {seconds(late)} later</span> : null;
}

function Touches({ receipt }: { receipt: Receipt }) {
  return (
    <section>
      <h3>Scans that led to it</h3>
      <ol>{receipt.touches.map((touch, index) => <li key={index}><a href={pageHref("codes", { code: touch.qr_code_id })}>{touch.qr_code_id}</a> {touch.scan_time ? moment(touch.scan_time) : "at a time that consent hides"}</li>)}</ol>
    </section>
  );
}

const HIDDEN = new Set(["metadata", "fingerprint", "is_duplicate", "is_fraud", "is_counterpart", "fraud_reasons"]);
const IS_TIME = /_time$/;

/** The columns that have a value, and the sender's own fields. */
export function Row({ row, title }: { row: EventRow; title: string }) {
  const columns = Object.entries(row).filter(([name, value]) => !HIDDEN.has(name) && value !== null && String(value) !== "");
  return (
    <section>
      <h3>{title}</h3>
      <dl class="columns">
        {columns.map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{IS_TIME.test(name) ? moment(String(value)) : String(value)}</dd></div>)}
      </dl>
      {row.metadata !== "{}" && <pre tabIndex={0}>{pretty(row.metadata)}</pre>}
      {row.country_code && <p class="quiet">Country and city: <a href="https://db-ip.com">IP Geolocation by DB-IP</a>, where the node uses its database.</p>}
    </section>
  );
}

function Rejection({ event }: { event: RejectedEvent }) {
  return (
    <div class="detail">
      <p><Verdict state="rejected" /> Received {moment(event.received_time)} from a {event.source || "sender"}; its event_id is not a UUID.</p>
      <Findings findings={event.violations} title="Why it was rejected" />
      <Payload event={event} />
    </div>
  );
}

/** What was sent, and the two ways to have it judged again. */
export function Payload({ event }: { event: RejectedEvent }) {
  const path = event.source === "server" ? "/server-events" : collectPath.value;
  return (
    <section>
      <h3>What was sent</h3>
      <pre tabIndex={0}>{pretty(event.payload)}</pre>
      <p>Once the sender is corrected, send it again:</p>
      <Copyable text={sendLine(path, event.payload)} label="Copy as curl" />
      <Replay event={event} />
    </section>
  );
}

/** Judge it by the rules of today, and store it where they let it through. A node's own command does the same. */
function Replay({ event }: { event: RejectedEvent }) {
  const [step, setStep] = useState<"" | "busy" | "tried" | "done">("");
  const [found, setFound] = useState<Replayed>();
  const [error, setError] = useState<Error>();
  const run = async (isTry: boolean): Promise<void> => {
    setStep("busy");
    try {
      const body = JSON.stringify({ event_id: event.event_id, validate_only: isTry });
      setFound(await send<Replayed>(`/v1/sites/${encodeURIComponent(event.site_id)}/replay-rejected-events`, body));
      setError(undefined);
      setStep(isTry ? "tried" : "done");
    } catch (failure) {
      setError(failure as Error);
      setStep("");
    }
  };
  const isPossible = Number(found?.accepted_count ?? 0) > 0;
  return (
    <div class="replay">
      <p>Once a rule was corrected, replay it. That takes a key with the scope <code>admin</code>; on the node, a command does the same:</p>
      {error && <Failed error={error} />}
      <p aria-live="polite">{found && replayed(found, step === "done")}</p>
      {step === "tried" && isPossible
        ? <button type="button" onClick={() => void run(false)}>Yes, store it</button>
        : step !== "done" && <button type="button" disabled={step === "busy"} onClick={() => void run(true)}>Replay it</button>}
      <Copyable text={replayLine(event)} label="Copy the replay command" />
    </div>
  );
}

function replayed(found: Replayed, isDone: boolean): string {
  if (Number(found.accepted_count)) return isDone ? "It is stored now, and counts from its first receipt on." : "The rules of today accept it.";
  if (Number(found.unreadable_count)) return "It was too large to be kept as a whole, and cannot be replayed.";
  return Number(found.rejected_count) ? "The rules of today reject it too; nothing was changed." : "It is not among the rejected events any more.";
}

const replayLine = (event: RejectedEvent): string =>
  `qrumb replay --site '${event.site_id.replaceAll("'", "")}' ${UUID.test(event.event_id) ? `--event-id ${event.event_id}` : `--since ${event.received_time.slice(0, 19)}`} --dry-run`;

export function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
