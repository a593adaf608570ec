/** Data health: what was accepted and what was not, why, and whether the books balance. */

import { useState } from "preact/hooks";

import { ask } from "../api";
import { pageHref, place, refine, site } from "../address";
import { Alarms } from "../alarms";
import { Chart } from "../chart";
import type { EventRow, LedgerEntry, RejectedEvent } from "../contract";
import { Payload } from "../detail";
import { Select } from "../filters";
import { useQuestion } from "../question";
import { Answered, Empty } from "../states";
import { More, Table } from "../table";
import { Findings } from "../verdict";
import { count, moment, plural, total } from "../words";

const RANGES = [["1d", "Last 24 hours"], ["7d", "Last 7 days"]] as const;
/** Rejected events that are looked through for the table of reasons; the ledger counts all. */
const LOOKED_THROUGH = 5000;
const PAGE = 1000;
const NEWEST = 1000;
const HOUR_MS = 3_600_000;

interface Answer {
  readonly entries: LedgerEntry[];
  readonly rejected: RejectedEvent[];
  readonly isCut: boolean;
  readonly newest: EventRow[];
  readonly from: number;
}

export function Health() {
  const { range = "1d" } = place.value.filters;
  const name = site.value;
  const question = useQuestion((signal) => read(name, range, signal), [name, range]);
  return (
    <>
      <div class="filters" role="search" aria-label="Filters">
        <Select name="range" label="Period" choices={RANGES} fallback="1d" />
        <button type="button" onClick={question.again}>Refresh</button>
      </div>
      <Alarms />
      <Answered question={question}>{(answer) => answer.entries.length ? <Numbers answer={answer} /> : <Empty>Nothing arrived in this period</Empty>}</Answered>
    </>
  );
}

async function read(name: string, range: string, signal: AbortSignal): Promise<Answer> {
  const from = Date.now() - (range === "7d" ? 7 : 1) * 24 * HOUR_MS;
  const since = new Date(from - (from % 60_000)).toISOString();
  const path = `/v1/sites/${encodeURIComponent(name)}`;
  const [{ entries }, { rows }, found] = await Promise.all([
    ask<{ entries: LedgerEntry[] }>(`${path}/ledger`, { from_time: since }, signal),
    ask<{ rows: EventRow[] }>(`${path}/tail`, { limit: NEWEST }, signal),
    rejectedSince(path, since, signal),
  ]);
  return { entries, newest: rows, ...found, from };
}

async function rejectedSince(path: string, since: string, signal: AbortSignal): Promise<{ rejected: RejectedEvent[]; isCut: boolean }> {
  const rejected: RejectedEvent[] = [];
  for (let token = ""; rejected.length < LOOKED_THROUGH; ) {
    const answer: { rejected_events: RejectedEvent[]; next_page_token: string } = await ask(
      `${path}/rejected-events`, { since_time: since, page_size: PAGE, page_token: token }, signal);
    rejected.push(...answer.rejected_events);
    token = answer.next_page_token;
    if (!token) return { rejected, isCut: false };
  }
  return { rejected, isCut: true };
}

const sum = (entries: readonly LedgerEntry[], column: keyof LedgerEntry): number => total(entries.map((one) => one[column]));

function Numbers({ answer }: { answer: Answer }) {
  return (
    <>
      <Balance entries={answer.entries} />
      <OverTime answer={answer} />
      <Doubts rows={answer.newest} />
      <Rejected answer={answer} />
    </>
  );
}

function Balance({ entries }: { entries: readonly LedgerEntry[] }) {
  const [received, stored, rejected, spooled, unique, duplicate] = (
    ["received_count", "stored_count", "rejected_count", "spooled_count", "unique_count", "duplicate_count"] as const
  ).map((column) => sum(entries, column)) as [number, number, number, number, number, number];
  const [scansReceived, registered, refused, waiting] = (
    ["scan_received_count", "scan_registered_count", "scan_rejected_count", "scan_spooled_count"] as const
  ).map((column) => sum(entries, column)) as [number, number, number, number];
  const areScansBalanced = scansReceived === registered + refused + waiting;
  const isBalanced = received === stored + rejected + spooled && stored === unique + duplicate;
  const tiles = [["Received", received], ["Stored", stored], ["Rejected", rejected], ["In the spool", spooled], ["Duplicates", duplicate], ["Conflicts", sum(entries, "conflict_count")], ["Suspect", sum(entries, "fraud_count")]] as const;
  return (
    <>
      <dl class="tiles small">{tiles.map(([title, value]) => <div key={title}><dt>{title}</dt><dd>{count(value)}</dd></div>)}</dl>
      <p class={isBalanced ? "quiet" : "note bad"}>
        {isBalanced ? "The ledger balances" : "The ledger does not balance"}: {count(received)} received {isBalanced ? "=" : "≠"} {count(stored)} stored + {count(rejected)} rejected + {count(spooled)} in the spool;
        {" "}{count(stored)} stored {stored === unique + duplicate ? "=" : "≠"} {count(unique)} unique + {plural(duplicate, "duplicate")}.
      </p>
      {scansReceived > 0 && <p class={areScansBalanced ? "quiet" : "note bad"}>
        {areScansBalanced ? "Registrations of scans balance" : "Registrations of scans do not balance"}: {count(scansReceived)} received {areScansBalanced ? "=" : "≠"} {count(registered)} registered + {count(refused)} rejected + {count(waiting)} in the spool.
      </p>}
    </>
  );
}

function OverTime({ answer: { entries, from } }: { answer: Answer }) {
  const hours = new Map<number, { stored: number; rejected: number }>();
  for (let hour = from - (from % HOUR_MS); hour <= Date.now(); hour += HOUR_MS) hours.set(hour, { stored: 0, rejected: 0 });
  for (const one of entries) {
    const time = Date.parse(one.minute_time);
    const found = hours.get(time - (time % HOUR_MS));
    if (!found) continue;
    found.stored += Number(one.stored_count) + Number(one.spooled_count);
    found.rejected += Number(one.rejected_count);
  }
  const values = [...hours.values()];
  return (
    <Chart title="Accepted and rejected, by the hour" isDay={false} times={[...hours.keys()]} series={[
      { name: "Accepted", colour: "one", values: values.map((one) => one.stored) },
      { name: "Rejected", colour: "three", values: values.map((one) => one.rejected) },
    ]} />
  );
}

/** What only rows tell: tallied over the newest ones, which the text says. */
function Doubts({ rows }: { rows: readonly EventRow[] }) {
  const reasons = tally(rows.flatMap((row) => row.fraud_reasons));
  const unknown = tally(rows.flatMap((row) => row.unknown_fields));
  const lost = rows.filter((row) => row.scan_session_id && !row.qr_code_id).length;
  return (
    <section>
      <h2>In the newest {plural(rows.length, "row")}</h2>
      <p>{lost ? `${plural(lost, "row")} came before the registration of ${lost === 1 ? "its" : "their"} scan session: the QR code is found once that arrives.` : "Each row with a scan session came after its registration."}</p>
      {reasons.length > 0 ? <>
        <p>Suspect, by reason (a row may have several):</p>
        <Table caption="Reasons of suspicion" rows={reasons} id={([reason]) => reason} columns={[
          { name: "Reason", cell: ([reason]) => <code>{reason}</code> },
          { name: "Rows", isNumber: true, cell: ([, number]) => count(number) },
        ]} />
      </> : <p>None is suspect.</p>}
      {unknown.length > 0 ? <>
        <p>Fields that the contract does not have, and that were not stored; the sender was told:</p>
        <Table caption="Unknown fields by name" rows={unknown} id={([name]) => name} columns={[
          { name: "Field", cell: ([name]) => <code>{name}</code> },
          { name: "Rows", isNumber: true, cell: ([, number]) => count(number) },
        ]} />
      </> : <p>No field was unknown.</p>}
    </section>
  );
}

const tally = (names: readonly string[]): [string, number][] => {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].sort(([, a], [, b]) => b - a);
};

const STEP = 20;

function Rejected({ answer: { rejected, isCut } }: { answer: Answer }) {
  const [shown, setShown] = useState(STEP);
  const { reason = "", open = "" } = place.value.filters;
  const matching = reason ? rejected.filter((one) => one.violations.some((violation) => violation.reason === reason)) : rejected;
  const helps = new Map(rejected.flatMap((one) => one.violations.map((violation) => [violation.reason ?? "", violation.help_url] as const)));
  const reasons = tally(rejected.flatMap((one) => [...new Set(one.violations.map((violation) => violation.reason ?? ""))]));
  return (
    <section>
      <h2>Rejected events</h2>
      {rejected.length === 0 && <p>None in this period.</p>}
      {isCut && <p class="quiet">The newest {count(LOOKED_THROUGH)} are looked through; the number above counts all.</p>}
      {reasons.length > 0 && <Table caption="Rejected events by reason" rows={reasons} id={([name]) => name} columns={[
        { name: "Reason", cell: ([name]) => <a href={pageHref("health", { ...place.value.filters, reason: name === reason ? "" : name, open: "" })} aria-current={name === reason ? "true" : undefined}>{name}</a> },
        { name: "Events", isNumber: true, cell: ([, number]) => count(number) },
        { name: "What it means", cell: ([name]) => helps.get(name) ? <a href={helps.get(name)}>Help</a> : "" },
      ]} />}
      {reason && <p>Only <b>{reason}</b>: {plural(matching.length, "event")}. <a href={pageHref("health", { ...place.value.filters, reason: "" })}>Show all</a></p>}
      <ul class="arrivals">
        {matching.slice(0, shown).map((one) => {
          const id = `${one.event_id} ${one.received_time}`;
          return (
            <li key={id} class={open === id ? "open" : ""}>
              <button type="button" class="arrival" aria-expanded={open === id} onClick={() => refine({ open: open === id ? "" : id })}>
                <time dateTime={one.received_time}>{moment(one.received_time)}</time>
                <span class="about">{one.violations.map((violation) => `${violation.field || "event"}: ${violation.reason}`).join(", ")}</span>
              </button>
              {open === id && <div class="detail"><Findings findings={one.violations} title="Why it was rejected" /><Payload event={one} /></div>}
            </li>
          );
        })}
      </ul>
      <More shown={shown} of={matching.length} step={STEP} more={() => setShown(shown + STEP)} />
    </section>
  );
}
