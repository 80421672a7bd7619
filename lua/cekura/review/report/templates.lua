--- The HTML templates of the report.
--- page.lua fills them in.

local html = require "cekura.review.report.html"

local templates = {}

templates.body = html.template [[
<a class="skip" href="#which">Skip to the metrics</a>
<header>
<p class="kicker">Agreement report</p>
<h1>{title}</h1>
<p class="scope">{scope}</p>
<p class="lede">{summary}</p>
<p class="basis">{basis}</p>
</header>
<main>
{overview}{small_multiples}{details}
</main>
<footer>
<h2>How to read this</h2>
{notes}
</footer>
]]

templates.overview = html.template [[
<section id="which" aria-labelledby="which-h">
<h2 id="which-h">Which metric is unreliable?</h2>
<div class="scroll" role="region" aria-labelledby="which-c" tabindex="0">
<table class="overview">
<caption id="which-c">How often reviewers agree with each metric now, the least reliable first,
and last those with fewer than ten reviews. “Now” is since the last clear change, or the whole time
where there is none. Kappa is the agreement beyond chance: 1 is perfect, 0 is what chance gives. The
corrected pass rate takes the metric’s errors into account. “few”: fewer than ten calls.</caption>
<thead><tr><th scope="col">Metric</th><th scope="col" class="number">Agree now</th>
<th scope="col" class="number">Kappa</th>
<th scope="col" class="number wide">Reviews</th>
<th scope="col" class="number wide">Should pass: it passes</th>
<th scope="col" class="number wide">Should fail: it fails</th>
<th scope="col" class="number wide">Corrected pass rate</th>
<th scope="col">Over time</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
{unreviewed}</section>
]]

templates.overview_row = html.template [[
<tr><th scope="row"><a class="name" href="#m-{id}">{name}</a>
<span class="type">{type}</span></th>
<td class="number share">{percent} {few}
<span class="bar" aria-hidden="true"><span style="width:{width}%"></span></span></td>
<td class="number">{kappa}</td>
<td class="number wide">{total}</td><td class="number wide">{positive}</td>
<td class="number wide">{negative}</td><td class="number wide">{corrected}</td>
<td class="trend {trend}"><span aria-hidden="true">{sign}</span> {change}</td></tr>
]]

templates.few = html.template '<span class="few">{text}</span>'
templates.marked = html.template '{value} {few}'

templates.unreviewed = html.template '<p class="aside">Nobody has reviewed {names} here.</p>\n'

templates.small_multiples = html.template [[
<section id="better" aria-labelledby="better-h">
<h2 id="better-h">Is it getting better?</h2>
<p>Each chart is one metric: a dot is the share of a {period}'s reviews that agreed, and the larger,
the more there were. The heavy line is the level; where it steps, agreement has clearly changed.</p>
<div class="multiples">
{figures}</div>
</section>
]]

templates.figure = html.template [[
<figure>
<figcaption><a href="#m-{id}">{name}</a>
<span class="trend {trend}"><span aria-hidden="true">{sign}</span> {change}</span></figcaption>
{chart}
</figure>
]]

templates.details = html.template [[
<section id="mistakes" aria-labelledby="mistakes-h">
<h2 id="mistakes-h">What kind of mistake, and where?</h2>
{metrics}</section>
]]

templates.metric = html.template [[
<article class="metric" id="m-{id}" aria-labelledby="m-{id}-h">
<h3 id="m-{id}-h">{name} <span class="percent">{percent} now</span></h3>
{description}<p class="sentence">{sentence}</p>
<div class="evidence">
<div class="tables">
{reliability}{confusion}{over_time}</div>
<div class="cases">
{mistakes}</div>
</div>
</article>
]]

templates.description = html.template
  '<p class="description">What it is asked: <q dir="auto">{text}</q></p>\n'

templates.reliability = html.template [[
<div>
<div class="scroll" role="region" aria-labelledby="m-{id}-r" tabindex="0">
<table class="reliability">
<caption id="m-{id}-r">How far {name} can be relied on{since}. The intervals have {confidence}%
confidence. “few”: fewer than ten calls.</caption>
<thead><tr><th scope="col">Measure</th><th scope="col" class="number">Value</th>
<th scope="col" class="number">Interval</th>
<th scope="col" class="number">Rests on</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</div>
<p class="basis">{basis}</p>
</div>
]]

templates.measure = html.template [[
<tr><th scope="row">{name}{note}</th><td class="number value">{value}</td>
<td class="number">{interval}</td><td class="number">{total} {few}</td></tr>
]]

templates.note = html.template ' <span class="type">{text}</span>'

templates.confusion = html.template [[
<div class="scroll" role="region" aria-labelledby="m-{id}-c" tabindex="0">
<table class="confusion {class}">
<caption id="m-{id}-c">What {name} said in {total}, and what reviewers say is right.
Framed: they agree.</caption>
<thead>
<tr><th rowspan="2" scope="col" class="corner">Reviewers say</th>
<th colspan="{columns}" scope="colgroup" class="said">The metric said</th>
<th rowspan="2" scope="col" class="number value"><span>All</span></th></tr>
<tr>{heads}</tr>
</thead>
<tbody>
{rows}</tbody>
<tfoot><tr><th scope="row">All</th>{totals}</tr></tfoot>
</table>
</div>
]]

templates.confusion_head = html.template
  '<th scope="col" class="number value"><span>{value}</span></th>'
templates.confusion_row = html.template
  '<tr><th scope="row">{value}</th>{cells}<td class="number total">{total}</td></tr>\n'
templates.cell = html.template '<td class="number {class}">{count}</td>'

templates.spread = html.template [[
<div class="scroll" role="region" aria-labelledby="m-{id}-c" tabindex="0">
<table class="spread">
<caption id="m-{id}-c">How {name} compares with what reviewers say is right</caption>
<thead><tr><th scope="col">The metric was</th>
<th scope="col" class="number">Reviews</th></tr></thead>
<tbody>
{rows}</tbody>
<tfoot><tr><th scope="row">All</th><td class="number total">{total}</td></tr></tfoot>
</table>
</div>
]]

templates.spread_row = html.template
  '<tr><th scope="row">{what}</th><td class="number">{count}</td></tr>\n'

templates.over_time = html.template [[
<details class="numbers">
<summary>The numbers by {period}</summary>
<table class="periods">
<caption>Agreement with {name} by {period}</caption>
<thead><tr><th scope="col">{heading}</th><th scope="col" class="number">Agreed</th>
<th scope="col" class="number">Reviews</th><th scope="col" class="number">Share</th></tr></thead>
<tbody>
{rows}</tbody>
</table>
</details>
]]

templates.period_row = html.template [[
<tr><th scope="row">{label}</th><td class="number">{agreed}</td>
<td class="number">{total}</td><td class="number">{share}</td></tr>
]]

templates.mistake = html.template [[
<section class="mistake">
<h4>{what} <span class="times">{times}</span></h4>
{cases}{rest}</section>
]]

templates.case = html.template [[
<details class="case"{open}>
<summary>
<span class="feedback" dir="auto">{feedback}</span>
<span class="verdict">The metric said <b>{said}</b>, the reviewer <b>{expected}</b></span>
<span class="where"><bdi>{title}</bdi> · {key} · <time datetime="{iso}">{date}</time></span>
</summary>
{reason}{transcript}</details>
]]

templates.open = html.trusted " open"
templates.reason = html.template
  '<p class="reason" dir="auto"><span class="label">The metric’s reason:</span> {text}</p>\n'
templates.transcript = html.template '<ol class="transcript">\n{lines}</ol>\n{more}'
templates.more = html.template [[
<details class="more"><summary>{count}</summary>
<ol class="transcript">
{lines}</ol></details>
]]
templates.line = html.template [[
<li><span class="clock">{clock}</span> <span class="speaker" dir="auto">{speaker}</span>
<span class="words" dir="auto">{text}</span></li>
]]

templates.quoted = html.template '“{text}”'
templates.paragraph = html.template '<p>{text}</p>\n'

return templates
