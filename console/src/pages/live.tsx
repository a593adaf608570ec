/** Live: what arrives, with its verdict, newest first. */

import { useEffect, useState } from "preact/hooks";

import { pageHref, place, refine, site } from "../address";
import { ask, Away } from "../api";
import type { NodeStatus } from "../contract";
import { EventDetail } from "../detail";
import { type Arrival, Feed, KEPT } from "../feed";
import { Select, SiteFilter, TextFilter } from "../filters";
import { useQuestion } from "../question";
import { Empty, Failed } from "../states";
import { More } from "../table";
import { Verdict } from "../verdict";
import { clock, count, plural } from "../words";

const STEP = 200;

export function Live() {
  const [feed, setFeed] = useState<Feed>();
  useEffect(() => {
    const own = new Feed(site.value);
    setFeed(own);
    return () => own.end();
  }, [site.value]);
  return feed ? <Arrivals feed={feed} /> : null;
}

function Arrivals({ feed }: { feed: Feed }) {
  const [shown, setShown] = useState(STEP);
  const filters = place.value.filters;
  const all = feed.arrivals.value;
  const matching = all.filter((one) => matches(one, filters));
  const error = feed.error.value;

  if (!feed.isRead.value) {
    return error && !(error instanceof Away) ? <Failed error={error} /> : <p class="quiet waiting" role="status">Loading…</p>;
  }
  if (!all.length) {
    return (
      <>
        <div class="filters" role="search" aria-label="Filters"><SiteFilter /></div>
        <OnTheirWay />
        <Empty />
      </>
    );
  }
  return (
    <>
      {error && !(error instanceof Away) && <Failed error={error} />}
      <div class="filters" role="search" aria-label="Filters">
        <SiteFilter />
        <Select name="state" label="Verdict" choices={[["", "All"], ["stored", "Stored"], ["duplicate", "Duplicate"], ["rejected", "Rejected"], ["suspect", "Suspect"]]} />
        <Select name="type" label="Type" choices={[["", "All"], ...types(all).map((one) => [one, one] as const)]} />
        <TextFilter name="code" label="QR code" />
        <TextFilter name="session" label="Session" />
        <TextFilter name="text" label="Text" />
        <Pause feed={feed} />
      </div>
      <p class="quiet" role="status">
        {matching.length === all.length ? `The newest ${count(all.length)}.` : `${count(matching.length)} of the newest ${count(all.length)} match.`}
        {all.length === KEPT && ` Older ones are left out: the page keeps ${count(KEPT)}.`}
        {feed.jumped.value && " More arrived at a time than this page follows, so it went on with the newest; the counts under Data health have all."}
      </p>
      <OnTheirWay />
      {matching.length === 0 && <p class="note">Nothing matches. <a href={pageHref("live")}>Show all</a></p>}
      <ul class="arrivals">
        {matching.slice(0, shown).map((one) => <ArrivalLine key={one.id} arrival={one} isOpen={filters.open === one.id} />)}
      </ul>
      <More shown={shown} of={matching.length} step={STEP} more={() => setShown(shown + STEP)} />
    </>
  );
}

const LOOK_MS = 3000;

/** Accepted and on disk: no rows yet, so in no list. Of all sites, since the node tells no one's apart. */
function OnTheirWay() {
  const { answer, error } = useQuestion((signal) => ask<NodeStatus>("/healthz", {}, signal), [], () => LOOK_MS);
  const waiting = Number(answer?.spool_rows ?? 0);
  if (error || !waiting) return null;
  const isHeldUp = answer?.loading && !answer.loading.store_available;
  return <p class={isHeldUp ? "note" : "quiet"} role="status">{plural(waiting, "accepted event")} of this node {waiting === 1 ? "is" : "are"} on disk and no {waiting === 1 ? "row" : "rows"} yet{isHeldUp ? ": ClickHouse takes no rows at the moment" : ""}.</p>;
}

function Pause({ feed }: { feed: Feed }) {
  const held = feed.held.value;
  return feed.isPaused.value
    ? <button type="button" class="pause" aria-pressed="true" onClick={() => feed.resume()}>Go on{held ? ` (${count(held)} new)` : ""}</button>
    : <button type="button" class="pause" aria-pressed="false" onClick={() => feed.pause()}>Pause</button>;
}

function ArrivalLine({ arrival, isOpen }: { arrival: Arrival; isOpen: boolean }) {
  const { row, rejected, state } = arrival;
  const why = rejected?.violations.map((one) => `${one.field || "event"}: ${one.reason}`).join(", ");
  return (
    <li class={isOpen ? "open" : ""}>
      <button type="button" class="arrival" aria-expanded={isOpen} onClick={() => refine({ open: isOpen ? "" : arrival.id })}>
        <time dateTime={new Date(arrival.time).toISOString()}>{clock(arrival.time)}</time>
        <Verdict state={state} isFraud={!!row?.is_fraud} />
        <b>{arrival.name || "–"}</b>
        <span class="about">{why ?? [row?.conversion_value && `${row.conversion_value} ${row.conversion_currency}`, row?.qr_code_id, row?.scan_session_id].filter(Boolean).join(" · ")}</span>
      </button>
      {isOpen && <EventDetail key={arrival.id} id={arrival.eventId} rejected={rejected} />}
    </li>
  );
}

const types = (all: readonly Arrival[]): string[] => [...new Set(all.map((one) => one.name).filter(Boolean))].sort();

function matches(one: Arrival, filters: Readonly<Record<string, string>>): boolean {
  const { state = "", type = "", code = "", session = "", text = "" } = filters;
  return (
    (!state || (state === "suspect" ? !!one.row?.is_fraud : one.state === state)) &&
    (!type || one.name === type) &&
    (!code || (one.row?.qr_code_id ?? "").includes(code)) &&
    (!session || (one.row?.scan_session_id ?? "").includes(session)) &&
    (!text || JSON.stringify(one.row ?? one.rejected ?? one).toLowerCase().includes(text.toLowerCase()))
  );
}
