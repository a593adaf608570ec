/** Tables that scroll in their own frame, and show the first rows until more are asked for. */

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";

import { count } from "./words";

export interface Column<T> {
  readonly name: string;
  readonly cell: (row: T) => ComponentChildren;
  readonly isNumber?: boolean;
}

const STEP = 50;

export function Table<T>({ caption, columns, rows, id }: {
  caption: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  id: (row: T) => string;
}) {
  const [shown, setShown] = useState(STEP);
  return (
    <>
      <div class="frame" role="region" aria-label={caption} tabIndex={0}>
        <table>
          <caption class="unseen">{caption}</caption>
          <thead>
            <tr>{columns.map((column) => <th scope="col" key={column.name} class={column.isNumber ? "number" : ""}>{column.name}</th>)}</tr>
          </thead>
          <tbody>
            {rows.slice(0, shown).map((row) => (
              <tr key={id(row)}>
                {columns.map((column, index) => index
                  ? <td key={column.name} class={column.isNumber ? "number" : ""}>{column.cell(row)}</td>
                  : <th key={column.name} scope="row">{column.cell(row)}</th>)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <More shown={shown} of={rows.length} step={STEP} more={() => setShown(shown + STEP)} />
    </>
  );
}

export function More({ shown, of, step, more }: { shown: number; of: number; step: number; more: () => void }) {
  if (shown >= of) return null;
  return <p><button type="button" onClick={more}>Show {Math.min(step, of - shown)} more of {count(of - shown)}</button></p>;
}
