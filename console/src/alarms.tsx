/** Alarms: what the site's own `watch` rules say is wrong (docs/watch.md). Nothing where nothing is. */

import { ask } from "./api";
import { pageHref, site } from "./address";
import type { Alarms as Answer } from "./contract";
import { useQuestion } from "./question";
import { Answered } from "./states";
import { moment, plural } from "./words";

export function Alarms() {
  const name = site.value;
  const question = useQuestion((signal) => ask<Answer>(`/v1/sites/${encodeURIComponent(name)}/alarms`, {}, signal), [name]);
  return <Answered question={question}>{(answer) => <List answer={answer} />}</Answered>;
}

function List({ answer: { alarms, waiting_message_count: waiting, failure } }: { answer: Answer }) {
  if (!alarms.length && !waiting) return null;
  return (
    <section class="note bad">
      <h2>{plural(alarms.length, "alarm")}</h2>
      <ul class="findings">
        {alarms.map((one) => (
          <li key={`${one.rule} ${one.qr_code_id}`}>
            <b>{one.rule}</b> since {moment(one.began_time)}{one.text && <>: {one.text}</>}
            {one.qr_code_id && <> <a href={pageHref("codes", { code: one.qr_code_id })}>Its numbers</a></>}
          </li>
        ))}
      </ul>
      {waiting > 0 && <p>{plural(waiting, "message")} about them {waiting === 1 ? "was" : "were"} not taken by the receiver yet{failure && `: ${failure}`}.</p>}
    </section>
  );
}
