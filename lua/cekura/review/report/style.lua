--- The style sheet of the report: system fonts, light and dark schemes, narrow screens, and print.
--- Nothing is expressed by colour alone.
return [[

:root {
  --page: #ffffff; --raised: #f6f7f9; --text: #1b2026; --muted: #55606c; --line: #d9dee4;
  --good: #1a5fb4; --good-soft: #e3eefb; --bad: #a8430a; --bad-soft: #fdeee2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14181d; --raised: #1d232a; --text: #e7eaee; --muted: #a5afba; --line: #343c46;
    --good: #82b7f7; --good-soft: #1d3350; --bad: #f3a26b; --bad-soft: #43291a;
  }
}

* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; }
body {
  max-width: 70rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem;
  background: var(--page); color: var(--text);
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  font-variant-numeric: tabular-nums; overflow-wrap: anywhere;
}
a { color: var(--good); text-underline-offset: 0.15em; }
:focus-visible { outline: 3px solid var(--good); outline-offset: 2px; border-radius: 2px; }
.skip { position: absolute; left: -999rem; }
.skip:focus { left: 1rem; top: 0.5rem; }
p { margin: 0.6rem 0; max-width: 44rem; }

h1, h2, h3, h4 { line-height: 1.2; font-weight: 650; text-wrap: balance; }
h1 { font-size: clamp(1.75rem, 1.3rem + 2vw, 2.5rem); margin: 0.2rem 0 0.6rem; }
h2 { font-size: 1.5rem; margin: 4rem 0 0.75rem; }
h3 { font-size: 1.25rem; margin: 0 0 0.4rem; }
h4 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
.kicker { margin: 0; color: var(--muted); font-size: 0.875rem; }
.scope, .description, .aside, .basis { color: var(--muted); }
.basis { font-size: 0.9375rem; }
.lede { font-size: 1.2rem; line-height: 1.5; margin-top: 1.25rem; }
.percent, .times { font-weight: 400; color: var(--muted); margin-left: 0.35em; }

table { border-collapse: collapse; }
caption { text-align: left; color: var(--muted); font-size: 0.875rem; padding-bottom: 0.5rem; }
th { text-align: left; font-weight: 600; }
th, td { padding: 0.5rem 0.75rem; vertical-align: top; }
thead th { color: var(--muted); font-size: 0.875rem; font-weight: 500; vertical-align: bottom; }
thead tr:last-child th, thead th[rowspan] { border-bottom: 1px solid var(--line); }
tfoot th, tfoot td { border-top: 1px solid var(--line); }
.number { text-align: right; white-space: nowrap; }
.scroll { overflow-x: auto; }

.overview { width: 100%; }
.overview th:first-child { min-width: 9rem; }
.overview tbody tr { border-bottom: 1px solid var(--line); }
.overview th, .overview td { padding: 0.75rem; }
.overview th:first-child, .reliability th:first-child { padding-left: 0; }
.overview thead th { white-space: normal; overflow-wrap: normal; }
.type { display: block; color: var(--muted); font-size: 0.875rem; font-weight: 400; }
.share { width: 8rem; font-weight: 600; }
.bar { display: block; height: 0.375rem; margin-top: 0.35rem; background: var(--line); }
.bar span { display: block; height: 100%; background: var(--good); }
.trend { color: var(--muted); overflow-wrap: normal; }
.trend.better { color: var(--good); }
.trend.worse { color: var(--bad); }

.multiples {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr));
  gap: 2rem 2.5rem; margin-top: 1.75rem;
}
figure {
  display: flex; flex-direction: column; justify-content: end; margin: 0; break-inside: avoid;
}
figcaption {
  display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem;
  font-size: 0.9375rem; font-weight: 600;
}
figcaption .trend { font-weight: 400; }
.chart { display: block; width: 100%; height: auto; margin-top: 0.35rem; }
.chart text { font: 11px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
.chart .tick { fill: var(--muted); }
.chart .grid { stroke: var(--line); stroke-width: 1; }
.chart .thread { fill: none; stroke: var(--muted); stroke-width: 1; opacity: 0.6; }
.chart .dot { fill: var(--muted); stroke: var(--page); stroke-width: 1; }
.chart .level { stroke: var(--good); stroke-width: 3; }
.chart .level-label {
  fill: var(--good); font-size: 13px; font-weight: 650;
  paint-order: stroke; stroke: var(--page); stroke-width: 4px; stroke-linejoin: round;
}
.chart .step { fill: none; stroke: var(--muted); stroke-width: 1; stroke-dasharray: 3 3; }

article { padding: 2rem 0; border-top: 1px solid var(--line); scroll-margin-top: 1rem; }
article:first-of-type { margin-top: 1.5rem; }
.description { font-size: 0.9375rem; }
.evidence { display: grid; gap: 0 3.5rem; margin-top: 1.5rem; }
.evidence > * { min-width: 0; }
.tables .scroll { margin-bottom: 1.25rem; }
.cases > .mistake:first-child h4 { margin-top: 0; }
.confusion .corner { color: var(--muted); }
.confusion .said { text-align: center; }
.confusion tbody th, .spread tbody th { font-weight: 500; }
.confusion th { max-width: 18rem; overflow-wrap: break-word; }
.spread { min-width: 20rem; }
.confusion td, .spread td, .periods td { min-width: 3.5rem; }
.reliability { margin-bottom: 0.25rem; }
.reliability tbody tr { border-bottom: 1px solid var(--line); }
.reliability tbody th { font-weight: 500; }
.reliability .value { font-weight: 650; }
.tables .basis { margin: 0 0 1.75rem; max-width: 30rem; }
.few {
  border: 1px solid currentColor; border-radius: 0.25rem; padding: 0 0.25rem; font-size: 0.75rem;
  font-weight: 500; color: var(--bad); white-space: nowrap;
}
.agree { background: var(--good-soft); box-shadow: inset 0 0 0 2px var(--good); font-weight: 650; }
.differ { background: var(--bad-soft); }
.none { color: var(--muted); }
.numbers table { margin-top: 0.75rem; font-size: 0.9375rem; }
.numbers th, .numbers td { padding: 0.25rem 0.75rem; font-weight: 400; }
.numbers th:first-child { padding-left: 0; white-space: nowrap; }

summary { cursor: pointer; }
.numbers > summary, .more > summary { color: var(--good); font-size: 0.9375rem; }
.cases { container-type: inline-size; }
.case { background: var(--raised); border-radius: 0.5rem; margin: 0.5rem 0; max-width: 52rem; }
.case > summary { padding: 0.75rem 1rem 0.75rem 2.25rem; list-style: none; position: relative; }
.case > summary::-webkit-details-marker { display: none; }
.case > summary::before {
  content: "▸"; content: "▸" / ""; position: absolute; left: 1rem; color: var(--muted);
}
.case[open] > summary::before { content: "▾"; content: "▾" / ""; }
.feedback, .verdict, .where { display: block; }
.verdict, .where { font-size: 0.9375rem; color: var(--muted); }
.verdict b { color: var(--text); font-weight: 600; }
.reason, .case > p { margin: 0 1rem 0.75rem 2.25rem; font-size: 0.9375rem; }
.label { color: var(--muted); }
.transcript { list-style: none; margin: 0; padding: 0 1rem 0.9rem 2.25rem; font-size: 0.9375rem; }
.transcript li {
  display: grid; grid-template-columns: 3.25rem 8rem 1fr; gap: 0 0.75rem; padding: 0.2rem 0;
}
.clock, .speaker { color: var(--muted); }
.more > summary { padding: 0 1rem 0.9rem 2.25rem; }
footer {
  margin-top: 4rem; border-top: 1px solid var(--line); color: var(--muted); font-size: 0.9375rem;
}
footer h2 { font-size: 1.125rem; margin-top: 2rem; color: var(--text); }

@media screen and (min-width: 62rem) {
  .evidence { grid-template-columns: minmax(16rem, auto) minmax(26rem, 1fr); }
  .tables { position: sticky; top: 1.5rem; align-self: start; }
}
@media (max-width: 61.99rem) { .cases { margin-top: 1rem; } }
@media (max-width: 40rem) {
  body { padding: 1.5rem 1rem 3rem; }
  h2 { margin-top: 3rem; }
  .wide { display: none; }
  .overview { table-layout: fixed; }
  .overview th:first-child { width: 34%; }
  .overview th:nth-child(2) { width: 21%; }
  .overview th:nth-child(3) { width: 17%; }
  .overview th, .overview td { padding: 0.7rem 0.4rem; font-size: 0.9375rem; }
  .overview td:last-child { padding-right: 0; }
  .share { width: 4.5rem; }
  .reliability { width: 100%; }
  .reliability th, .reliability td { padding: 0.5rem 0.35rem; font-size: 0.9375rem; }
  .reliability td { white-space: normal; }
  .confusion th, .confusion td { padding: 0.5rem 0.4rem; font-size: 0.9375rem; }
  .confusion th:first-child { padding-left: 0; }
  .confusion td { min-width: 2.25rem; }
  .upright thead .value span {
    writing-mode: vertical-rl; transform: rotate(180deg);
    max-height: 10rem; overflow: hidden; text-overflow: ellipsis;
  }
  .confusion th:first-child { max-width: 45vw; }
  .confusion .said { text-align: left; }
}
@container (max-width: 36rem) {
  .transcript li { grid-template-columns: 3.25rem 1fr; padding: 0.35rem 0; }
  .transcript .words { grid-column: 1 / -1; }
}

@media print {
  :root {
    --page: #ffffff; --raised: #ffffff; --text: #000000; --muted: #444444; --line: #bbbbbb;
    --good: #1a5fb4; --good-soft: #e3eefb; --bad: #a8430a; --bad-soft: #fdeee2;
  }
  html { color-scheme: light; font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  .tables { display: flex; flex-wrap: wrap; gap: 0 3rem; align-items: flex-start; }
  .skip { display: none; }
  h2, h3, h4, caption { break-after: avoid; }
  tr, .mistake > h4, .case > summary { break-inside: avoid; }
  .multiples { grid-template-columns: 1fr 1fr; }
  .case { border: 1px solid var(--line); }
  .bar span, .agree, .differ { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  .numbers::details-content { content-visibility: visible; height: auto; }
  .numbers > summary { display: none; }
}
]]
