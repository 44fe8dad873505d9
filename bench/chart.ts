/**
 * A bar chart as SVG: no script, no font of its own, readable on a light and on a dark page.
 *
 * Pure: figures in, text out. The same figures give the same bytes.
 */

/** One bar. */
export interface Bar {
  readonly name: string;
  /** Between 0 and 1. */
  readonly value: number;
  /** Ours, measured here in the same run, or taken from a publication. */
  readonly source: "own" | "measured" | "published";
}

const WIDTH = 760;
const LABEL = 250;
const VALUE = 56;
const ROW = 30;
const BAR = 20;
const TOP = 66;

/** Draws the bars in the order given. */
export function barChart(title: string, subtitle: string, bars: readonly Bar[]): string {
  const scale = WIDTH - LABEL - VALUE - 16;
  const height = TOP + bars.length * ROW + 40;
  const rows = bars.map((bar, at) => {
    const y = TOP + at * ROW;
    const length = Math.max(1, Math.round(bar.value * scale));
    const middle = y + BAR / 2 + 5;
    return [
      `<text x="${LABEL - 10}" y="${middle}" text-anchor="end" class="${
        bar.source === "own" ? "name own-name" : "name"
      }">${escape(bar.name)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${length}" height="${BAR}" rx="3" class="${bar.source}"/>`,
      `<text x="${LABEL + length + 8}" y="${middle}" class="value">${bar.value.toFixed(3)}</text>`,
    ].join("\n    ");
  });
  const legend = ([["own", "this project"], ["measured", "peer, run here"], [
    "published",
    "peer, published",
  ]] as const).filter(([source]) => bars.some((bar) => bar.source === source))
    .map(([source, text], at) => {
      const x = LABEL + at * 150;
      const y = height - 24;
      return `<rect x="${x}" y="${y}" width="12" height="12" rx="2" class="${source}"/>\n  ` +
        `<text x="${x + 18}" y="${y + 10}" class="note">${text}</text>`;
    });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${
    escape(`${title}: ${bars.map((bar) => `${bar.name} ${bar.value.toFixed(3)}`).join(", ")}`)
  }">
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; fill: #1f2328; }
    .title { font-size: 17px; font-weight: 600; }
    .note { font-size: 12px; fill: #59636e; }
    .own-name { font-weight: 600; }
    .own { fill: #0969da; }
    .measured { fill: #8b949e; }
    .published { fill: #c3cad1; }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6edf3; }
      .note { fill: #9198a1; }
      .own { fill: #4493f8; }
      .measured { fill: #7d8590; }
      .published { fill: #484f58; }
    }
  </style>
  <text x="16" y="26" class="title">${escape(title)}</text>
  <text x="16" y="46" class="note">${escape(subtitle)}</text>
  <g>
    ${rows.join("\n    ")}
  </g>
  ${legend.join("\n  ")}
</svg>
`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
