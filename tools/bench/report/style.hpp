#pragma once

namespace ringway::cli {

/// Of the report's page: light or dark as the reader's machine is, and nothing from elsewhere.
inline constexpr const char* kReportStyle = R"(
:root { color-scheme: light dark; --paper: #fbfbf9; --card: #ffffff; --ink: #1d2126;
  --soft: #68707a; --rule: #e4e5e1; --plain: #4c78a8; --pass: #2f8f5b; --miss: #c8453b;
  --frame: #b9bec4; --aim: #1d2126; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --card: #1b1f23; --ink: #e8eaec; --soft: #98a1aa; --rule: #2c3238;
    --plain: #6ea3d8; --pass: #4fb981; --miss: #ef7167; --frame: #59616a; --aim: #e8eaec; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 40px 24px 64px; }
h1 { font-size: 32px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 0 0 2px; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 10px;
  padding: 20px 24px; margin: 20px 0; }
section > p { color: var(--soft); margin: 0 0 14px; max-width: 46em; }
.tally { font-size: 17px; margin: 0 0 16px; }
dl { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 8px 24px;
  margin: 0; }
dl div:last-child { grid-column: 1 / -1; }
dt { color: var(--soft); font-size: 12px; }
dd { margin: 0; overflow-wrap: anywhere; }
.legend { color: var(--soft); font-size: 13px; margin: 18px 0 0; }
.key { display: inline-block; width: 22px; height: 10px; border-radius: 2px; margin: 0 4px 0 14px; }
.legend .key:first-child { margin-left: 0; }
.key.bar.plain { background: var(--plain); } .key.bar.pass { background: var(--pass); }
.key.bar.miss { background: var(--miss); } .key.limit { border: 1.5px solid var(--frame); }
.key.target { width: 3px; height: 14px; background: var(--aim); vertical-align: -2px; }
svg { display: block; width: 100%; height: auto; font-family: inherit; }
svg text { fill: var(--ink); font-size: 12px; }
svg .label { text-anchor: end; }
svg .tick { text-anchor: middle; fill: var(--soft); font-size: 11px; }
svg .value { font-weight: 600; font-size: 13px; } svg .note { fill: var(--soft); }
svg .grid { stroke: var(--rule); } svg .target { stroke: var(--aim); stroke-width: 2; }
svg .limit { fill: none; stroke: var(--frame); stroke-width: 1.5; }
svg .plain { fill: var(--plain); } svg .pass { fill: var(--pass); } svg .miss { fill: var(--miss); }
svg .range { opacity: 0.45; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: 13px;
  font-variant-numeric: tabular-nums; }
th, td { text-align: right; vertical-align: top; padding: 7px 0 7px 16px;
  border-top: 1px solid var(--rule); white-space: nowrap; }
thead th { color: var(--soft); font-weight: 500; border-top: 0; }
th:first-child { text-align: left; padding-left: 0; white-space: normal; min-width: 300px; }
th span, td span, th code { display: block; color: var(--soft); font-weight: 400; font-size: 12px; }
td span { white-space: normal; min-width: 120px; } th code { font-family: ui-monospace, monospace; }
td.pass { color: var(--pass); font-weight: 600; } td.miss { color: var(--miss); font-weight: 600; }
)";

}  // namespace ringway::cli
