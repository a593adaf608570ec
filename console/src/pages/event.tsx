/** Event: what became of an event_id; or a JSON text, judged as collecting would judge it. */

import { useState } from "preact/hooks";

import { pageHref, place, refine, site } from "../address";
import { collectPath, Refusal, send } from "../api";
import type { EventReceipt, Finding, Verdict as Said } from "../contract";
import { sendLine } from "../curl";
import { EventDetail, Row } from "../detail";
import { sentFromHere } from "../feed";
import { lineOf, spanOf, spansOf } from "../marks";
import { Copyable, Failed } from "../states";
import { FindingText } from "../verdict";
import { plural } from "../words";

type Kind = "browser" | "server";

export function Event() {
  const id = place.value.filters.id ?? "";
  return (
    <>
      <form class="filters" role="search" onSubmit={(event) => {
        event.preventDefault();
        refine({ id: String(new FormData(event.currentTarget).get("id")).trim().toLowerCase() });
      }}>
        <label class="wide">
          <span>Event id</span>
          <input name="id" type="search" key={id} defaultValue={id} placeholder="0197a3c4-6f1e-7c3a-9d51-6b0e4f2a8c1d" spellcheck={false} autocomplete="off" />
        </label>
        <button type="submit">What became of it?</button>
      </form>
      {id ? <EventDetail key={id} id={id} /> : <p class="quiet">The answer to each event names its event_id. Or check the JSON of an event before you send it:</p>}
      <Check />
    </>
  );
}

function Check() {
  const [kind, setKind] = useState<Kind>("browser");
  const [text, setText] = useState(example(site.value));
  const [said, setSaid] = useState<{ verdict?: Said; error?: Error; text: string; kind: Kind }>();
  const check = async (): Promise<void> => {
    try {
      setSaid({ verdict: await send<Said>(`/validate/${kind}-event`, text), text, kind });
    } catch (error) {
      setSaid({ error: error as Error, text, kind });
    }
  };
  return (
    <section class="check">
      <h2>Check an event</h2>
      <form onSubmit={(event) => {
        event.preventDefault();
        void check();
      }}>
        <fieldset class="choice">
          <legend>Sent by a</legend>
          {(["browser", "server"] as const).map((one) => (
            <label key={one}><input type="radio" name="kind" checked={kind === one} onChange={() => setKind(one)} /> {one}</label>
          ))}
        </fieldset>
        <label>
          <span>Its JSON</span>
          <textarea rows={9} value={text} onInput={(event) => setText(event.currentTarget.value)} spellcheck={false} />
        </label>
        <p><button type="submit">Check it</button> <span class="quiet">Nothing is stored.</span></p>
      </form>
      {said?.error && <Failed error={said.error} />}
      {said?.verdict && <Judged verdict={said.verdict} text={said.text} kind={said.kind} />}
    </section>
  );
}

function Judged({ verdict: { receipt, row, is_incomplete }, text, kind }: { verdict: Said; text: string; kind: Kind }) {
  const isFine = receipt.outcome === "VALIDATED";
  const findings = [...receipt.violations, ...receipt.warnings];
  return (
    <section aria-live="polite" class="judged">
      <p>
        <span class={`verdict ${isFine ? "stored" : "rejected"}`}>{isFine ? "Would be accepted" : "Would be rejected"}</span>{" "}
        {findings.length ? `${plural(receipt.violations.length, "broken rule")}, ${plural(receipt.warnings.length, "warning")}.` : "Nothing to complain about."}
      </p>
      {findings.length > 0 && <Marked text={text} findings={findings} />}
      {row && <Row row={row} title="The row it would become" />}
      {is_incomplete && <p class="quiet">What takes a look-up, such as the QR code of a session, is left out here.</p>}
      {isFine && <SendIt key={text} text={text} kind={kind} />}
      <h3>The same from a terminal</h3>
      <Copyable text={sendLine(`/validate/${kind}-event`, text)} label="Copy as curl" />
    </section>
  );
}

/** The text, line by line, each finding under the line that it is about. */
function Marked({ text, findings }: { text: string; findings: readonly Finding[] }) {
  const spans = spansOf(text);
  const placed = findings.map((finding) => ({ finding, span: spanOf(spans, finding.field) }));
  let start = 0;
  const lines = text.split("\n").map((line) => {
    const from = start;
    start += line.length + 1;
    return { line, from };
  });
  const astray = placed.filter((one) => !one.span);
  return (
    <div class="listing" role="group" aria-label="The text with its findings">
      {astray.map(({ finding }, index) => <Note key={index} finding={finding} />)}
      {lines.map(({ line, from }, number) => {
        const here = placed.filter((one) => one.span && lineOf(text, one.span.from) === number);
        const marked = here.map((one) => [Math.max(one.span!.from - from, 0), Math.min(one.span!.to - from, line.length)] as const).sort(([a], [b]) => a - b);
        return (
          <div key={number}>
            <code><i>{number + 1}</i>{pieces(line, marked)}</code>
            {here.map(({ finding }, index) => <Note key={index} finding={finding} />)}
          </div>
        );
      })}
    </div>
  );
}

function Note({ finding }: { finding: Finding }) {
  return <p class={finding.reason ? "bad" : "worth"}><FindingText finding={finding} /></p>;
}

function pieces(line: string, spans: readonly (readonly [number, number])[]) {
  const found = [];
  let at = 0;
  for (const [from, to] of spans) {
    if (from < at) continue;
    found.push(line.slice(at, from), <mark key={from}>{line.slice(from, to)}</mark>);
    at = to;
  }
  return [...found, line.slice(at)];
}

function SendIt({ text, kind }: { text: string; kind: Kind }) {
  const [state, setState] = useState<"idle" | "sure" | "sending" | Error>("idle");
  const go = async (): Promise<void> => {
    setState("sending");
    try {
      const answer = await send<{ receipt: EventReceipt }>(kind === "server" ? "/server-events" : collectPath.value, text);
      sentFromHere(answer.receipt.event_id, /"event_(?:type|name)"\s*:\s*"([^"\\]*)"/.exec(text)?.[1] ?? "");
      location.hash = pageHref("event", { id: answer.receipt.event_id });
      scrollTo(0, 0);
    } catch (error) {
      setState(error as Error);
    }
  };
  if (state instanceof Error) return <Failed error={hinted(state, kind)} again={() => setState("idle")} />;
  if (state === "idle") return <p><button type="button" onClick={() => setState("sure")}>Send it</button></p>;
  return (
    <p class="note">
      It is stored and counts like any other event of its site; best done with a site for tests.{" "}
      <button type="button" disabled={state === "sending"} onClick={() => void go()}>Yes, send it</button>{" "}
      <button type="button" class="plain" onClick={() => setState("idle")}>Not now</button>
    </p>
  );
}

/** The key of a reader need not be one of a sender. */
function hinted(error: Error, kind: Kind): Error {
  return error instanceof Refusal && error.reason === "KEY_SCOPE" && kind === "server"
    ? new Error(`${error.message}. Sending a backend's event takes the scope collect; the curl line works with such a key`)
    : error;
}

const example = (name: string): string =>
  JSON.stringify({ site_id: name || "demo", event_type: "pageview", page_url: "https://shop.example/", consent: "granted" }, null, 2);
