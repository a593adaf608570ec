/** QR codes: what scans led to, by code: numbers, a series over time, the funnel, the shares of each conversion. */

import { ask, type Params } from "../api";
import { pageHref, place, refine, site } from "../address";
import { Chart } from "../chart";
import type { Attribution, Funnel } from "../contract";
import { csv, download } from "../csv";
import { Select } from "../filters";
import { before, buckets, inBuckets, type Period, period, PERIODS, USUAL } from "../periods";
import { useQuestion } from "../question";
import { Answered, Empty } from "../states";
import { Table } from "../table";
import { change, count, dayOf, money, plural, share, sumAmounts, total, ZONE } from "../words";

const PAGE = 10_000;
/** Pages of one question; beyond, the sums would be of a part and the page says so. */
const PAGES = 10;
const WINDOWS = [["7", "7 days"], ["30", "30 days"], ["90", "90 days"]] as const;
const MODELS = [["LAST", "Last scan"], ["FIRST", "First scan"], ["LINEAR", "Each scan the same"], ["POSITION_BASED", "40 – 20 – 40"], ["TIME_DECAY", "Later scans more"]] as const;

interface Answer {
  readonly now: Funnel[];
  readonly before: Funnel[];
  readonly series: Funnel[];
  readonly attribution: Attribution;
  readonly period: Period;
}

export function Codes() {
  const { range = USUAL, from = "", to = "", code = "", window: days = "30" } = place.value.filters;
  const name = site.value;
  const question = useQuestion((signal) => read(name, code, days, signal), [name, range, from, to, code, days]);
  return (
    <>
      <div class="filters" role="search" aria-label="Filters">
        <Select name="range" label="Period" choices={PERIODS} fallback={USUAL} />
        {range === "own" && <><Day name="from" label="From" /><Day name="to" label="To" /></>}
        {code && <p class="chosen">QR code <b>{code}</b> <a href={pageHref("codes", { range: place.value.filters.range ?? "", from, to })}>All codes</a></p>}
        <button type="button" onClick={question.again}>Refresh</button>
      </div>
      <Answered question={question}>{(answer) => <Numbers answer={answer} code={code} />}</Answered>
    </>
  );
}

function Day({ name, label }: { name: string; label: string }) {
  return <label><span>{label}</span><input type="date" value={place.value.filters[name] ?? ""} onChange={(event) => refine({ [name]: event.currentTarget.value })} /></label>;
}

async function read(name: string, code: string, days: string, signal: AbortSignal): Promise<Answer> {
  const chosen = period(new Date());
  const one = code ? { qr_code_ids: [code] } : {};
  const own: Params = { ...one, ...times(chosen) };
  const [now, earlier, series, attribution] = await Promise.all([
    funnels(name, own, signal),
    funnels(name, { ...one, ...times(before(chosen)) }, signal),
    // All codes together: a dimension of few values keeps the answer small.
    funnels(name, { ...own, bucket: chosen.isDay ? "DAY" : "HOUR", time_zone: ZONE, group_by: code ? "QR_CODE" : "DEVICE" }, signal),
    ask<Attribution>(`/v1/sites/${encodeURIComponent(name)}/attribution`, { ...times(chosen), window_days: days }, signal),
  ]);
  return { now, before: earlier, series, attribution, period: chosen };
}

const times = ({ from, to }: Period): Params => ({ from_time: from.toISOString(), to_time: to.toISOString() });

async function funnels(name: string, params: Params, signal: AbortSignal): Promise<Funnel[]> {
  const found: Funnel[] = [];
  let token = "";
  for (let page = 0; page < PAGES; page++) {
    const answer: { funnels: Funnel[]; next_page_token: string } = await ask(
      `/v1/sites/${encodeURIComponent(name)}/funnel`, { ...params, page_size: PAGE, page_token: token }, signal);
    found.push(...answer.funnels);
    token = answer.next_page_token;
    if (!token) return found;
  }
  throw new Error(`there are more than ${count(PAGE * PAGES)} numbers: choose a shorter period, or ask with \`qrumb funnel\``);
}

const sum = (rows: readonly Funnel[], column: keyof Funnel): number => total(rows.map((one) => String(one[column] ?? 0)));
const has = (rows: readonly Funnel[], column: keyof Funnel): boolean => rows.some((one) => one[column] !== undefined);

function Numbers({ answer, code }: { answer: Answer; code: string }) {
  const { now, before: earlier } = answer;
  if (!now.length && !earlier.length) return <NoScans />;
  return (
    <>
      <Tiles now={now} earlier={earlier} />
      <Series answer={answer} />
      <Steps now={now} />
      <Suspects now={now} />
      {!code && <ByCode answer={answer} />}
      <Credits attribution={answer.attribution} code={code} />
      <p class="quiet">Scans from {dayOf(answer.period.from)} to {dayOf(answer.period.to)} ({ZONE}), compared with as long before.</p>
    </>
  );
}

function NoScans() {
  return (
    <>
      <p class="note">No scan in this period. A scan is known once its session is registered (<code>POST /scan-sessions</code>); choose a longer period to look further back.</p>
      <Empty>See whether events arrive</Empty>
    </>
  );
}

function Tiles({ now, earlier }: { now: readonly Funnel[]; earlier: readonly Funnel[] }) {
  const columns = [["Scans", "scan_count"], ["Visits", "visit_count"], ["Conversions", "conversion_count"]] as const;
  const revenue = sumAmounts(now.map((one) => one.amounts));
  const earned = sumAmounts(earlier.map((one) => one.amounts));
  return (
    <dl class="tiles">
      {columns.map(([title, column]) => (
        <div key={column}>
          <dt>{title}</dt>
          <dd data-number={column}>{count(sum(now, column))}</dd>
          <dd class="quiet">{change(sum(now, column), sum(earlier, column))}{column === "scan_count" && <Doubts rows={now} />}</dd>
        </div>
      ))}
      <div>
        <dt>Revenue</dt>
        {revenue.length ? revenue.map((one) => <dd key={one.currency} class="amount" data-number={`amount-${one.currency}`}>{money(one)}</dd>) : <dd>–</dd>}
        <dd class="quiet">{earned.length ? `before: ${earned.map(money).join(", ")}` : "none before"}</dd>
      </div>
    </dl>
  );
}

/** How many of the scans are believed, as far as the node says. */
function Doubts({ rows }: { rows: readonly Funnel[] }) {
  const parts = [
    has(rows, "confirmed_scan_count") ? `${count(sum(rows, "confirmed_scan_count"))} confirmed` : "",
    has(rows, "suspect_scan_count") ? `${count(sum(rows, "suspect_scan_count"))} suspect` : `${count(sum(rows, "fraud_count"))} with suspect events`,
  ];
  return <>{parts.filter(Boolean).map((one) => <span key={one}> · {one}</span>)}</>;
}

function Series({ answer: { series, period: chosen } }: { answer: Answer }) {
  // The answer leaves out buckets without a scan; a line over them would tell of scans that there were not.
  const starts = buckets(chosen);
  const found = inBuckets(starts, series, (one) => Date.parse(one.start_time));
  const values = (column: keyof Funnel): number[] => found.map((rows) => sum(rows, column));
  return (
    <Chart
      title="Over time"
      isDay={chosen.isDay}
      times={starts}
      series={[
        { name: "Scans", colour: "one", values: values("scan_count") },
        { name: "Visits", colour: "two", values: values("visit_count") },
        { name: "Conversions", colour: "three", values: values("conversion_count") },
      ]}
    />
  );
}

function Steps({ now }: { now: readonly Funnel[] }) {
  const scans = sum(now, "scan_count");
  const steps = [["Scanned", scans], ["Visited the page", sum(now, "visit_count")], ["Converted", sum(now, "conversion_count")]] as const;
  return (
    <section>
      <h2>Funnel</h2>
      <ol class="steps">
        {steps.map(([title, value]) => (
          <li key={title}>
            <span>{title}</span> <b>{count(value)}</b> <span class="quiet">{share(value, scans)}</span>
            <div class="bar" style={{ width: `${scans ? (100 * value) / scans : 0}%` }} />
          </li>
        ))}
      </ol>
    </section>
  );
}

/** Why scans are not counted. */
function Suspects({ now }: { now: readonly Funnel[] }) {
  const reasons = new Map<string, number>();
  for (const one of now.flatMap((row) => row.suspect_reasons ?? [])) reasons.set(one.reason, (reasons.get(one.reason) ?? 0) + Number(one.count));
  if (!reasons.size) return null;
  return (
    <section>
      <h2>Suspect scans</h2>
      <p>{plural(sum(now, "suspect_scan_count"), "scan")} left out of the scans, by reason (one may have several):</p>
      <Table caption="Suspect scans by reason" rows={[...reasons].sort(([, a], [, b]) => b - a)} id={([reason]) => reason} columns={[
        { name: "Reason", cell: ([reason]) => <code>{reason}</code> },
        { name: "Scans", isNumber: true, cell: ([, number]) => count(number) },
      ]} />
    </section>
  );
}

function ByCode({ answer }: { answer: Answer }) {
  const earlier = new Map(answer.before.map((one) => [one.qr_code_id, one]));
  const doubts = ([["Confirmed", "confirmed_scan_count"], ["Suspect", "suspect_scan_count"]] as const).filter(([, column]) => has(answer.now, column));
  return (
    <section>
      <h2>By QR code <button type="button" class="plain" onClick={() => download("qr-codes.csv", table(answer))}>Download as CSV</button></h2>
      <Table
        caption="Numbers by QR code"
        rows={answer.now}
        id={(row) => row.qr_code_id}
        columns={[
          { name: "QR code", cell: (row) => row.qr_code_id ? <a href={pageHref("codes", { ...place.value.filters, code: row.qr_code_id })}>{row.qr_code_id}</a> : "unknown" },
          { name: "Scans", isNumber: true, cell: (row) => count(row.scan_count) },
          ...doubts.map(([name, column]) => ({ name, isNumber: true, cell: (row: Funnel) => count(row[column] ?? "0") })),
          { name: "Change", isNumber: true, cell: (row) => change(Number(row.scan_count), Number(earlier.get(row.qr_code_id)?.scan_count ?? 0)) },
          { name: "Visits", isNumber: true, cell: (row) => count(row.visit_count) },
          { name: "Conversions", isNumber: true, cell: (row) => count(row.conversion_count) },
          { name: "Rate", isNumber: true, cell: (row) => share(Number(row.conversion_count), Number(row.scan_count)) },
          { name: "Revenue", isNumber: true, cell: (row) => row.amounts.map(money).join(", ") || "–" },
        ]}
      />
    </section>
  );
}

/** What the table shows, with a column for each currency, and the period before. */
function table({ now, before: earlier }: Answer): string {
  const currencies = sumAmounts([...now, ...earlier].map((one) => one.amounts)).map((one) => one.currency);
  const rows = new Map([...earlier, ...now].map((one) => [one.qr_code_id, one]));
  const of = (list: readonly Funnel[], code: string): Funnel | undefined => list.find((one) => one.qr_code_id === code);
  const numbers = (one: Funnel | undefined): string[] => [
    ...[one?.scan_count, one?.confirmed_scan_count, one?.suspect_scan_count, one?.visit_count, one?.conversion_count].map((value) => value ?? "0"),
    ...currencies.map((currency) => one?.amounts.find((found) => found.currency === currency)?.amount ?? "0"),
  ];
  const names = ["scans", "confirmed", "suspect", "visits", "conversions", ...currencies];
  return csv([
    ["qr_code_id", ...names, ...names.map((one) => `${one}_before`)],
    ...[...rows.keys()].map((code) => [code, ...numbers(of(now, code)), ...numbers(of(earlier, code))]),
  ]);
}

function Credits({ attribution, code }: { attribution: Attribution; code: string }) {
  const { model = "LAST" } = place.value.filters;
  const credits = attribution.attributions.find((one) => one.model === model)?.credits ?? [];
  const conversions = Number(attribution.conversion_count);
  const shown = code ? credits.filter((one) => one.qr_code_id === code) : credits;
  return (
    <section>
      <h2>Whose conversion is it?</h2>
      <div class="filters">
        <Select name="model" label="Model" choices={MODELS} fallback="LAST" />
        <Select name="window" label="Scans count for" choices={WINDOWS} fallback="30" />
      </div>
      <Table
        caption="Conversions divided among QR codes"
        rows={shown}
        id={(row) => row.qr_code_id}
        columns={[
          { name: "QR code", cell: (row) => row.qr_code_id || "no known scan" },
          { name: "Conversions", isNumber: true, cell: (row) => credit(row.conversion_credit) },
          { name: "Share", isNumber: true, cell: (row) => share(Number(row.conversion_credit), conversions) },
          { name: "Revenue", isNumber: true, cell: (row) => row.amounts.map(money).join(", ") || "–" },
        ]}
      />
      <p class="quiet">Of {plural(attribution.conversion_count, "conversion")}{Number(attribution.refund_count) ? ` and ${plural(attribution.refund_count, "refund")}` : ""} in the period{attribution.amounts.length ? `, ${attribution.amounts.map(money).join(", ")} in all` : ""}. The shares of a model add up to them exactly. In the funnel a scan that led to several counts once.</p>
    </section>
  );
}

/** Six decimals, without the noughts at their end. */
const credit = (text: string): string => text.replace(/\.?0+$/, "");
