/** System: how the node is, in words. Everyone may ask; no key is needed. */

import { ask, Away } from "../api";
import type { NodeStatus } from "../contract";
import { useQuestion } from "../question";
import { Answered, sentence } from "../states";
import { Table } from "../table";
import { bytes, count, moment, plural, seconds, share } from "../words";

const LOOK_MS = 3000;
const CONDITIONS = {
  READY: ["stored", "Ready", "Everything works."],
  DEGRADED: ["suspect", "Degraded", "Events are taken and kept, but something needs attention:"],
  NOT_READY: ["rejected", "Not ready", "Events cannot be taken:"],
} as const;

export function System() {
  const question = useQuestion((signal) => ask<NodeStatus>("/healthz", {}, signal), [], () => LOOK_MS);
  // What was true before must not be read beside it.
  if (question.error instanceof Away) return <p role="status"><span class="verdict rejected">Not ready</span> {sentence(question.error.message)} Asking again.</p>;
  return <Answered question={question}>{(status) => <Status status={status} />}</Answered>;
}

function Status({ status }: { status: NodeStatus }) {
  const [look, name, meaning] = CONDITIONS[status.condition];
  return (
    <>
      <section aria-live="polite">
        <p><span class={`verdict ${look}`}>{name}</span> {meaning}</p>
        {status.reasons.length > 0 && <ul>{status.reasons.map((one) => <li key={one}>{sentence(one)}</li>)}</ul>}
      </section>
      <dl class="facts">
        <div><dt>Spool</dt><dd>{spool(status)}<meter min={0} max={Math.max(Number(status.spool_limit_bytes), 1)} value={Number(status.spool_bytes)} aria-label="Share of the spool that is taken" /></dd></div>
        <div><dt>Loading</dt><dd>{loading(status)}</dd></div>
        <div><dt>Store</dt><dd>{store(status)}</dd></div>
        <div><dt>Disk</dt><dd>{bytes(status.free_disk_bytes)} free{Number(status.quarantined_segments) > 0 && `; ${plural(status.quarantined_segments, "damaged segment")} put aside for a human`}</dd></div>
        <div><dt>Version</dt><dd>{status.version}</dd></div>
      </dl>
      <section>
        <h2>Processes</h2>
        <Table caption="Processes of the node" rows={status.processes} id={(one) => one.name} columns={[
          { name: "Process", cell: (one) => one.name },
          { name: "State", cell: (one) => one.serving ? <span class="verdict stored">Serving</span> : <span class="verdict rejected">Away</span> },
          { name: "Started again", isNumber: true, cell: (one) => one.restart_count ? plural(one.restart_count, "time") : "never" },
        ]} />
      </section>
    </>
  );
}

function spool(status: NodeStatus): string {
  const taken = `${bytes(status.spool_bytes)} of ${bytes(status.spool_limit_bytes)} (${share(Number(status.spool_bytes), Number(status.spool_limit_bytes))})`;
  const waiting = Number(status.spool_rows) ? `; ${plural(status.spool_rows, "event")} ${Number(status.spool_rows) === 1 ? "waits" : "wait"}, the oldest for ${seconds(status.oldest_segment_seconds)}` : "; nothing waits";
  return taken + waiting + (status.full_in_seconds ? `. At this pace it is full in ${seconds(status.full_in_seconds)}` : "");
}

function loading({ loading: said }: NodeStatus): string {
  if (!said) return "The loader is away.";
  const last = said.last_received_time ? `; the last event came at ${moment(said.last_received_time)}` : "; none since the loader started";
  return `${count(Math.round(said.rows_per_second))} rows a second over the last minute; ${said.lag_seconds ? `${seconds(said.lag_seconds)} behind` : "not behind"}${last}`;
}

function store({ loading: said }: NodeStatus): string {
  if (!said) return "Not known while the loader is away.";
  return said.store_available ? "ClickHouse takes rows." : `ClickHouse takes no rows${said.store_error_code ? ` (its error ${said.store_error_code})` : ""}.`;
}
