/** The console: its frame, and which page is in it. */

import type { FunctionComponent } from "preact";
import { render } from "preact";
import { useEffect, useRef } from "preact/hooks";
import "@preact/signals";

import { FIRST_PAGE, pageHref, place, site } from "./address";
import { away, key } from "./api";
import { Codes } from "./pages/codes";
import { Event } from "./pages/event";
import { Health } from "./pages/health";
import { Live } from "./pages/live";
import { System } from "./pages/system";
import { begin, signOut, standing } from "./session";
import { SignIn } from "./signin";
import { sentence } from "./states";
import { showAll } from "./visible";
import { clock } from "./words";
import "./style.css";

interface Page {
  readonly name: string;
  readonly page: FunctionComponent;
  readonly isOpen?: boolean;
}

const PAGES: Readonly<Record<string, Page>> = {
  live: { name: "Live", page: Live },
  event: { name: "Event", page: Event },
  codes: { name: "QR codes", page: Codes },
  health: { name: "Data health", page: Health },
  system: { name: "System", page: System, isOpen: true },
};

function Console() {
  const current = PAGES[place.value.page] ?? PAGES[FIRST_PAGE]!;
  const heading = useRef<HTMLHeadingElement>(null);
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${current.name} · ${site.value || "qrumb"}`;
    // Another page: a reader who does not see it change is told by the focus.
    if (!isFirst.current) heading.current?.focus();
    isFirst.current = false;
  }, [current]);
  const mayRead = standing.value === "in" || current.isOpen;
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => {
        event.preventDefault();
        heading.current?.focus();
      }}>To the content</a>
      <header>
        <a class="brand" href={pageHref("live")}><img src="icon.svg" alt="" width={24} height={24} />qrumb</a>
        <nav aria-label="Pages">
          {Object.entries(PAGES).map(([id, page]) => <a key={id} href={pageHref(id)} aria-current={page === current ? "page" : undefined}>{page.name}</a>)}
        </nav>
        <p class="who">{site.value && <>Site <b>{site.value}</b></>} {standing.value === "in" && <button type="button" class="plain" onClick={signOut}>{key.value ? "Sign out" : "Another site"}</button>}</p>
      </header>
      <main id="main">
        <Away />
        {mayRead ? <><h1 ref={heading} tabIndex={-1}>{current.name}</h1><current.page key={site.value} /></> : <SignIn />}
      </main>
    </>
  );
}

function Away() {
  const now = away.value;
  return <div role="status">{now && <p class="note bad">{now.why ? `Since ${clock(now.since)} the node says: ${sentence(now.why)}` : `The node has not answered since ${clock(now.since)}.`} This page keeps asking, and goes on by itself.</p>}</div>;
}

showAll();
render(<Console />, document.body);
void begin();
