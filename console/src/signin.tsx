/** Signing in: a site, and a key of it. */

import { useEffect, useState } from "preact/hooks";

import { site } from "./address";
import { begin, refusal, signIn, standing } from "./session";
import { Copyable, Failed } from "./states";

const AGAIN_MS = 2000;

/** What stands in a page's place until a user has signed in. */
export function SignIn() {
  const [isBusy, setBusy] = useState(false);
  const [name, setName] = useState(site.value);
  useAgain();
  if (standing.value !== "out") return <p class="quiet waiting" role="status">Asking the node…</p>;
  const submit = async (form: HTMLFormElement): Promise<void> => {
    const given = new FormData(form);
    setBusy(true);
    await signIn(String(given.get("site")).trim(), String(given.get("key")).trim(), given.has("keep"));
    setBusy(false);
  };
  return (
    <form class="signin" onSubmit={(event) => {
      event.preventDefault();
      void submit(event.currentTarget);
    }}>
      <h1>Sign in</h1>
      <p>With a key of your site that has the scope <code>query</code>.</p>
      {refusal.value && <Failed error={refusal.value} />}
      <label><span>Site</span><input name="site" required pattern="[A-Za-z0-9_\-]{1,64}" value={name} onInput={(event) => setName(event.currentTarget.value)} spellcheck={false} autocomplete="off" autocapitalize="none" /></label>
      <label><span>Key</span><input name="key" type="password" placeholder="qk_…" autocomplete="off" /></label>
      <label class="tick"><input name="keep" type="checkbox" /> Keep it while this tab is open</label>
      <button type="submit" disabled={isBusy}>Sign in</button>
      <details>
        <summary>Where do I get a key?</summary>
        <p>On the node:</p>
        <Copyable text={`qrumb sites key ${name || "SITE"} --scope query`} label="Copy the command" />
        <p class="quiet">The site demo has one from the first start on, in the file demo.key of the data folder.</p>
      </details>
    </form>
  );
}

/** A node that is away when the page opens is asked again. */
function useAgain(): void {
  useEffect(() => {
    if (standing.value !== "away") return undefined;
    const timer = setTimeout(() => void begin(), AGAIN_MS);
    return () => clearTimeout(timer);
  });
}
