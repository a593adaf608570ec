/** Verdicts and findings: what became of an event, and why. In words; colour only repeats them. */

import type { Finding } from "./contract";
import type { State } from "./feed";
import { sentence } from "./states";

const WORDS: Readonly<Record<State, string>> = { spooled: "In the spool", stored: "Stored", duplicate: "Duplicate", rejected: "Rejected" };

export function Verdict({ state, isFraud }: { state: State; isFraud?: boolean }) {
  return (
    <span class="verdicts">
      <span class={`verdict ${state}`}>{WORDS[state]}</span>
      {isFraud && <span class="verdict suspect">Suspect</span>}
    </span>
  );
}

export function Findings({ findings, title }: { findings: readonly Finding[]; title: string }) {
  if (!findings.length) return null;
  return (
    <section>
      <h3>{title}</h3>
      <ul class="findings">{findings.map((one, index) => <li key={index}><FindingText finding={one} /></li>)}</ul>
    </section>
  );
}

export function FindingText({ finding }: { finding: Finding }) {
  return (
    <>
      <code>{finding.reason ?? finding.code}</code> {finding.field && <><b>{finding.field}</b>: </>}
      {sentence(finding.description)} {finding.help_url && <a href={finding.help_url}>Help</a>}
    </>
  );
}
