#pragma once
// The look of report.html: one style sheet, light and dark, for screens of any width and for paper.

namespace trireme::report {

inline constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--soft:#57606a;--line:#d4d9df;--card:#f5f7f9;--accent:#1f5fa8;
--encode:#b7791f;--prefill:#7a4fb5;--denoise:#2f6fb5;--decode:#2f8f5b;--write:#9a5a3c;--transfer:#c04a7b;--wait:#c9ced4;
--failed:#c0392b;--item-a:#2f6fb5;--item-b:#6fa3d8;--on-bar:#fff}
@media (prefers-color-scheme:dark){:root{--paper:#14171a;--ink:#e6e8ea;--soft:#9aa4ae;--line:#353b42;--card:#1d2126;--accent:#7fb4ee;
--encode:#d69e3c;--prefill:#a98be0;--denoise:#5b95d6;--decode:#4fb37f;--write:#c58664;--transfer:#e07aa5;--wait:#4a525b;
--failed:#e4695b;--item-a:#4a86c8;--item-b:#2c5c94;--on-bar:#0d1013}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
"Noto Sans CJK SC","PingFang SC","Microsoft YaHei",sans-serif}
main{max-width:1120px;margin:0 auto;padding:24px 20px 48px}
h1{font-size:1.7em;margin:0 0 .2em;overflow-wrap:anywhere}
h2{font-size:1.25em;display:inline;overflow-wrap:anywhere}
.section{display:block;font-size:1.15em;margin:1.8em 0 .5em;padding-bottom:.2em;border-bottom:1px solid var(--line)}
p{margin:.4em 0;max-width:78ch}
p.sub{color:var(--soft);overflow-wrap:anywhere}
ul{margin:.4em 0;padding-left:1.3em;max-width:82ch}
li{margin:.2em 0}
nav ul{display:flex;flex-wrap:wrap;gap:.2em 1em;list-style:none;padding:0}
a{color:var(--accent)}
.figures{display:grid;grid-template-columns:repeat(auto-fill,minmax(130px,1fr));gap:10px;margin:14px 0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px 12px}
.figures dt{font-size:.85em;color:var(--soft)}
.figures dd{margin:0;font-size:1.3em;font-weight:600;overflow-wrap:anywhere}
.figures div{display:flex;flex-direction:column-reverse;justify-content:flex-end}
.scroll{overflow-x:auto;margin:.5em 0}
table{border-collapse:collapse;font-size:.93em;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);padding:.2em 0 .4em}
th,td{padding:.25em .7em;border-bottom:1px solid var(--line);text-align:right;vertical-align:top;white-space:nowrap}
thead th{border-bottom:2px solid var(--line);font-weight:600}
.text{text-align:left;white-space:normal;overflow-wrap:anywhere;min-width:6em}
.short{white-space:nowrap}
tbody th{text-align:left;font-weight:600}
figure{margin:1em 0}
figcaption{color:var(--soft);font-size:.93em}
svg{display:block;max-width:100%}
svg text{fill:var(--ink);font:12px system-ui,sans-serif}
svg .soft{fill:var(--soft)}
svg .grid{stroke:var(--line);stroke-width:1}
svg .curve{fill:none;stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round}
svg .area{fill:var(--accent);opacity:.13}
svg .dot{fill:var(--accent)}
svg .ideal{fill:none;stroke:var(--soft);stroke-width:1.2;stroke-dasharray:5 4}
svg.wide rect{stroke:var(--paper);stroke-width:.7}
svg .in{fill:var(--on-bar);pointer-events:none}
.wide{min-width:760px}
.encode{fill:var(--encode)}.prefill{fill:var(--prefill)}.denoise,.slot{fill:var(--denoise)}.decode{fill:var(--decode)}
.write{fill:var(--write)}.transfer{fill:var(--transfer)}.wait{fill:var(--wait)}.failed{fill:var(--failed)}
.item-a{fill:var(--item-a)}.item-b{fill:var(--item-b)}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(235px,1fr));gap:14px}
.large{grid-template-columns:repeat(auto-fill,minmax(min(100%,420px),1fr))}
.small figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:8px 10px}
.gallery{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:14px;list-style:none;padding:0;max-width:none}
.gallery figure{margin:0}
.gallery .cell{display:flex;align-items:center;justify-content:center;aspect-ratio:1;background:var(--card);
border:1px solid var(--line);border-radius:6px;overflow:hidden}
.gallery img{max-width:100%;max-height:100%;height:auto}
.gallery .none{padding:10px;color:var(--failed);font-size:.87em;overflow-wrap:anywhere}
.gallery figcaption{font-size:.84em;line-height:1.35;overflow-wrap:anywhere;max-height:8.2em;overflow-y:auto;padding-top:.3em}
.id{color:var(--soft);font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}
.answers{list-style:none;padding:0;max-width:none}
.answers li{border-left:3px solid var(--line);padding:.1em 0 .1em .9em;margin:.9em 0;max-width:84ch}
.asked{color:var(--soft)}
.said{white-space:pre-wrap;overflow-wrap:anywhere}
.note{color:var(--failed)}
pre{background:var(--card);border:1px solid var(--line);border-radius:6px;padding:10px 12px;overflow-x:auto;font:12.5px/1.45 ui-monospace,monospace}
details{margin:.6em 0}
details.chapter{border-top:2px solid var(--line);margin-top:2em;padding-top:.6em}
summary{cursor:pointer}
footer{margin-top:3em;color:var(--soft);font-size:.88em;border-top:1px solid var(--line);padding-top:.8em}
@media (max-width:560px){main{padding:14px 12px 32px}body{font-size:14px}.gallery{grid-template-columns:repeat(auto-fill,minmax(105px,1fr));gap:10px}}
@media print{main{max-width:none;padding:0}nav{display:none}.section,figure,tr,li{break-inside:avoid}.scroll{overflow:visible}.wide{min-width:0}}
)css";

}  // namespace trireme::report
