"""How the page looks, in light, in dark and on paper."""

CSS = """
:root{color-scheme:light dark;--ink:#1d2327;--soft:#5b6670;--line:#d9dee2;--paper:#fff;--tint:#f3f6f8;--accent:#0072b2;
--minus:#d55e00}
@media (prefers-color-scheme:dark){:root{--ink:#e4e8eb;--soft:#9aa5ae;--line:#353c42;--paper:#15191c;--tint:#1e2428;
--accent:#56b4e9;--minus:#e8853d}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif}
main{max-width:56rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .6rem;letter-spacing:-.01em;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.6rem 0 .7rem;padding-top:.8rem;border-top:1px solid var(--line)}
p{margin:.6rem 0;max-width:44rem}
.lead{font-size:1.1rem}
.notes{background:var(--tint);border-left:3px solid var(--accent);padding:.35rem .5rem;margin-top:1.4rem}
.notes ul{margin:.3rem 0;padding-left:1.2rem}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.92rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:.32rem .7rem .32rem 0;border-bottom:1px solid var(--line);vertical-align:baseline}
th{font-weight:600;color:var(--soft);vertical-align:bottom}
th.num{white-space:normal}
td:first-child{overflow-wrap:anywhere;min-width:9rem}
.num{text-align:right;white-space:nowrap}
td.num:last-child,th.num:last-child{padding-right:.2rem}
tr.chosen td{background:var(--tint)}
.track{display:inline-block;width:9rem;text-align:left;height:.7em}
.bar{display:block;height:100%;min-width:1px;background:var(--accent);border-radius:1px}
.bar.minus{background:var(--minus)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.4rem;margin:.6rem 0 1.2rem}
dt{color:var(--soft)}
dd{margin:0;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;margin:.6rem 0;color:var(--ink)}
summary{cursor:pointer;margin-top:2.2rem;color:var(--accent);font-weight:600}
pre{background:var(--tint);padding:.8rem 1rem;font-size:.88rem;white-space:pre-wrap;overflow-wrap:anywhere}
footer{margin-top:3rem;color:var(--soft);font-size:.85rem}
@media (max-width:38rem){dl{grid-template-columns:1fr;gap:.1rem}dd{margin-bottom:.5rem}.track{width:4rem}}
@media print{:root{color-scheme:light;--ink:#000;--soft:#444;--line:#bbb;--paper:#fff;--tint:#f3f3f3;--accent:#0072b2;
--minus:#d55e00}main{max-width:none;padding:0}section{break-inside:avoid-page}tr,svg{break-inside:avoid}
details:not([open]){display:none}}
"""
