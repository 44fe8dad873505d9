/**
 * What can be found wrong with a page by looking at it in the browser: names, roles, headings, contrast of what is really drawn, width.
 *
 * Scripts that run in the page; each gives what it found in words. What must hold: nothing is assumed of the style sheet, colours are those
 * that the browser computed.
 */

/** What is wrong with the page as it stands, seen by somebody who reads it with other means: names, roles, contrast, width. */
export const PAGE_AUDIT = `(() => {
  const problems = [];
  const visible = (e) => e.checkVisibility({ visibilityProperty: true, opacityProperty: true });
  const shown = (e) => e.outerHTML.slice(0, 90);
  const name = (e) => (e.getAttribute("aria-label") ||
    (e.getAttribute("aria-labelledby") ?? "").split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join("") ||
    [...(e.labels ?? [])].map((l) => l.textContent).join("") || e.textContent).trim();
  for (const e of document.querySelectorAll("a[href], button, input, select, textarea, summary, [role=region], aside")) {
    if (visible(e) && name(e) === "") problems.push("no name: " + shown(e));
  }
  for (const e of document.querySelectorAll("svg")) {
    if (e.getAttribute("aria-hidden") !== "true" && !e.getAttribute("aria-label")) problems.push("picture: " + shown(e));
  }
  if (document.querySelectorAll("main h1").length !== 1) problems.push("headings of the first level: " + document.querySelectorAll("main h1").length);
  for (const role of ["main", "header", "nav[aria-label]"]) if (!document.querySelector(role)) problems.push("no " + role);
  if (document.documentElement.lang !== "en" || !document.title.includes("·")) problems.push("language or title");
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  for (const id of new Set(ids.filter((id, i) => ids.indexOf(id) !== i))) problems.push("id twice: " + id);
  if (document.documentElement.scrollWidth > innerWidth) problems.push("wider than the window: " + document.documentElement.scrollWidth);
  const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const [r, g, b, a = 1] = rgb(getComputedStyle(e).backgroundColor);
      if (a === 1) return [r, g, b];
    }
    return [255, 255, 255];
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let checked = 0;
  for (let node; node = walker.nextNode();) {
    const e = node.parentElement;
    if (node.data.trim() === "" || !visible(e) || e.closest(".sr-only, .skip, :disabled, noscript")) continue;
    const style = getComputedStyle(e);
    const [a, b] = [light(rgb(style.color)), light(ground(e))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = parseFloat(style.fontSize) >= 24 || parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700;
    checked++;
    if (ratio < (large ? 3 : 4.5)) problems.push("contrast " + ratio.toFixed(2) + ": " + node.data.trim().slice(0, 30) + " in " + shown(e));
  }
  for (const e of document.querySelectorAll("input:not([type=checkbox]), select, textarea")) {
    if (!visible(e)) continue;
    const framed = parseFloat(getComputedStyle(e).borderTopWidth) > 0 ? e : e.closest(".question-box");
    const [a, b] = [light(rgb(getComputedStyle(framed ?? e).borderTopColor)), light(ground(e.parentElement.closest(":not(.question-box)")))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (framed === null || ratio < 3) problems.push("edge " + ratio.toFixed(2) + ": " + shown(e));
  }
  for (const e of document.querySelectorAll("ul > :not(li), ol > :not(li), dl > :not(div, dt, dd)")) problems.push("no list: " + shown(e));
  for (const e of document.querySelectorAll("[aria-labelledby], [aria-controls], label[for]")) {
    for (const id of (e.getAttribute("aria-labelledby") ?? e.getAttribute("aria-controls") ?? e.getAttribute("for")).split(" ")) {
      if (!document.getElementById(id)) problems.push("names nothing: " + shown(e));
    }
  }
  const levels = [...document.querySelectorAll("h1, h2, h3, h4")].filter(visible).map((e) => Number(e.tagName[1]));
  if (levels.some((level, i) => i > 0 && level > levels[i - 1] + 1)) problems.push("headings skip a level: " + levels.join());
  if (checked < 5) problems.push("hardly any text: " + checked);
  return [...new Set(problems)];
})()`;

/** The element that has the focus after Tab: a mark of its own, and what is wrong with it (empty for nothing). */
export const TAB_STOP = `(() => {
  const e = document.activeElement;
  if (e === document.body) return { id: "body", problem: "" };
  globalThis.stops ??= new WeakMap();
  if (!stops.has(e)) stops.set(e, String(globalThis.stopped = (globalThis.stopped ?? 0) + 1));
  const id = stops.get(e);
  const ring = (e) => e !== null && getComputedStyle(e).outlineStyle !== "none" && parseFloat(getComputedStyle(e).outlineWidth) >= 2;
  const shown = e.outerHTML.slice(0, 90);
  const { top, bottom, width } = e.getBoundingClientRect();
  const name = e.getAttribute("aria-label") || e.getAttribute("aria-labelledby") || e.labels?.length > 0 || e.textContent.trim();
  const problem = !name ? "no name: " + shown
    : !ring(e) && !ring(e.closest(".question-box")) ? "no ring: " + shown
    : width === 0 || bottom < 0 || top > innerHeight ? "out of sight: " + shown
    : "";
  return { id, problem };
})()`;
