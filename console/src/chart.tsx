/** Lines over time, drawn by uPlot; and the same numbers as a table, for readers who do not see them and for those who
 * want to read them off. */

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { Table } from "./table";
import { bucketName, count } from "./words";

export interface Series {
  readonly name: string;
  /** One of the palette of style.css. */
  readonly colour: "one" | "two" | "three";
  readonly values: readonly number[];
}

const HEIGHT = 210;
/** Points that are marked one by one. */
const FEW = 31;

export function Chart({ title, times, series, isDay }: {
  title: string;
  /** Start of each bucket, in milliseconds. */
  times: readonly number[];
  series: readonly Series[];
  isDay: boolean;
}) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element) return;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    let plot: uPlot | undefined;
    const draw = (): void => {
      plot?.destroy();
      plot = new uPlot(options(element, series, isDay), [times.map((one) => one / 1000), ...series.map((one) => [...one.values])], element);
    };
    draw();
    const resized = new ResizeObserver(() => plot?.setSize({ width: element.clientWidth, height: HEIGHT }));
    resized.observe(element);
    dark.addEventListener("change", draw);
    return () => {
      resized.disconnect();
      dark.removeEventListener("change", draw);
      plot?.destroy();
    };
  }, [JSON.stringify([times, series])]);

  const rows = times.map((time, index) => ({ time, index }));
  return (
    <figure>
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">{series.map((one) => <li key={one.name} class={one.colour}>{one.name}</li>)}</ul>
      </figcaption>
      <div ref={box} class="plot" role="img" aria-label={`${title}: ${series.map((one) => one.name).join(", ")} over time. The numbers are in the table below.`} />
      <details>
        <summary>Numbers as a table</summary>
        <Table
          caption={title}
          rows={rows}
          id={(row) => String(row.time)}
          columns={[
            { name: isDay ? "Day" : "Hour", cell: (row) => bucketName(row.time, isDay) },
            ...series.map((one) => ({ name: one.name, isNumber: true, cell: (row: { index: number }) => count(one.values[row.index] ?? 0) })),
          ]}
        />
      </details>
    </figure>
  );
}

function options(element: HTMLElement, series: readonly Series[], isDay: boolean): uPlot.Options {
  const style = getComputedStyle(element);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: colour("soft"), grid: { stroke: colour("line"), width: 1 }, ticks: { show: false }, font: `12px ${style.fontFamily}` };
  return {
    width: element.clientWidth,
    height: HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 24, 0, 0],
    scales: { y: { range: (_plot, _least, most) => [0, Math.max(4, most * 1.1)] } },
    axes: [
      { ...axis, grid: { show: false }, space: 72, size: 30, ...(isDay ? { incrs: [1, 2, 7, 14, 28].map((days) => days * 86_400) } : {}), values: (_plot, ticks) => ticks.map((tick) => tickName(tick, isDay)) },
      { ...axis, size: 44, space: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 5e4, 1e5, 5e5, 1e6, 1e7, 1e8], values: (_plot, ticks) => ticks.map((tick) => short(tick)) },
    ],
    series: [
      {},
      ...series.map((one) => ({
        label: one.name,
        stroke: colour(one.colour),
        width: 2,
        points: { show: one.values.length <= FEW, size: 5, fill: colour(one.colour) },
      })),
    ],
  };
}

const onDay = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const atHour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const tickName = (tick: number, isDay: boolean): string => (isDay ? onDay : atHour).format(new Date(tick * 1000));
const short = (tick: number): string => (tick >= 1e6 ? `${tick / 1e6}M` : tick >= 1e4 ? `${tick / 1e3}k` : count(tick));
