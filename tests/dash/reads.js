/* reads.js - how the page reads: who it says it is, names, ranges, lengths and digits. */
'use strict';
const os = require('os');
const { rig, run, demand } = require('./rig.js');

const { url, build, instance, other_conf, other_instance } = rig;

// Who it is: the machine, the policy, the version, and what else runs, with a way there and back.
async function names_itself(page) {
	const version = run(`${build}/dash`, '--version').trim().split(' ')[1];
	const about = `${os.hostname()} · policy edf · dash ${version}`;
	await page.until(`document.getElementById('about').textContent === ${JSON.stringify(about)}`, about);
	demand(await page.evaluate(`document.getElementById('others').hidden`), 'another instance is shown');
	run('run/launch.sh', '-c', other_conf);
	await page.until(`document.querySelector('#others a')?.textContent === '${other_instance}'`, 'the other one is shown');
	const there = await page.browser.page(await page.evaluate(`document.querySelector('#others a').href`), {
		width: 900,
		height: 900,
	});
	await there.until(`document.getElementById('instance').textContent === '${other_instance}'`, 'its page');
	await there.until(`document.querySelector('#others a')?.textContent === '${instance}'`, 'with a way back');
	demand(
		await there.evaluate(`[...document.querySelectorAll('footer a')].every((a) => a.search === '?instance=${other_instance}')`),
		'its footer leads to another one',
	);
	demand(there.complaints.length === 0, there.complaints.join('\n'));
	run('run/stop.sh', '-c', other_conf);
	await page.until(`document.getElementById('others').hidden`, 'and is gone again');
	await there.until(`document.getElementById('state').textContent === 'not running'`, 'which its page says');
	await there.close();
	const nowhere = await page.browser.page(`${url}/?instance=nowhere`, { width: 900, height: 900 });
	await nowhere.until(
		`document.getElementById('empty-title').textContent === "Instance 'nowhere' is not running" && !document.getElementById('home').hidden`,
		'a page for none says so',
	);
	await nowhere.close();
}

// No two lines of a chart have one name; each class has its own range of y; the words of the budget lie over no line.
async function charts_read_well(page) {
	const twice = await page.evaluate(`ontime.charts
    .map((c) => [c.spec.title, c.spec.series.map((s) => s.label)])
    .filter(([, labels]) => new Set(labels).size < labels.length).join()`);
	demand(twice === '', `one name for two lines: ${twice}`);
	for (const [c, ns] of [
		['high', 1e6],
		['medium', 1e7],
		['low', 1e8],
	]) {
		const [low, high, min, max] = await page.evaluate(`(() => {
      const { min, max } = ontime.charts.find((one) => one.parent.matches('#latency [data-class=${c}]')).u.scales.y;
      const drawn = (values) => last_of(values, 1000);
      return [min, max, Math.min(...drawn(class_of('${c}').p50)), Math.max(...drawn(class_of('${c}').max))];
    })()`);
		demand(min < ns / 10 ? low <= min && low > min / 3 : low === ns / 10, `${c} begins at ${low}, with ${min} the least`);
		demand(max > ns * 10 ? high >= max && high < max * 3 : high === ns * 10, `${c} ends at ${high}, with ${max} the most`);
		const words = await page.evaluate(`document.querySelector('#latency [data-class=${c}] .head .limit').textContent`);
		demand(words === `budget ${ns / 1e6} ms`, words);
	}
}

// Lengths of one scale: the bar of a class is as long as its mean time, and the budget as far off as it is.
async function bars_compare(page) {
	await page.until(`document.querySelectorAll('#spans .bar i').length === 18`, 'six spans for each class');
	const bars = await page.evaluate(`['high', 'medium', 'low'].map((c) => {
    const bar = document.querySelector('#spans [data-class=' + c + '] .bar');
    const [from, to] = [bar.getBoundingClientRect().left, bar.lastElementChild.previousElementSibling.getBoundingClientRect().right];
    const [sum, sent] = [0, 0].map((_, k) => {
      const [min, max] = [ontime.charts[0].u.scales.x.min, ontime.charts[0].u.scales.x.max];
      const m = ontime.model, n = class_of(c);
      return k ? m.sum(n.sent, min, max) : Object.values(n.spans).reduce((all, values) => all + m.sum(values, min, max), 0);
    });
    const mark = bar.querySelector('.budget');
    return { c, width: to - from, mean: sum / sent, beyond: mark.classList.contains('beyond'), at: mark.getBoundingClientRect().left - from };
  })`);
	const px_per_ns = bars[0].width / bars[0].mean;
	for (const b of bars.slice(1))
		demand(Math.abs(b.width - b.mean * px_per_ns) < 6 + 0.02 * b.width, `${JSON.stringify(bars)}`);
	for (const [i, ns] of [1e6, 1e7, 1e8].entries())
		demand(bars[i].beyond || Math.abs(bars[i].at - ns * px_per_ns) < 6 + 0.05 * bars[i].at, `the budget of ${bars[i].c}: ${JSON.stringify(bars[i])}`);
	demand(bars.some((b) => !b.beyond), 'no budget is on the scale');
}

// A value that moves has always as many digits.
async function digits_stand_still(page) {
	const said = await page.evaluate(`import('/format.js').then((f) => [
    [7.4, 10, 99.96, 123.4].map(f.steady), [7.4, 10, 123.4].map(f.short), [99.9, 93, 99.999, 100].map(f.format_percent),
    [1e6, 1.5e6, 999600].map((ns) => f.format_ns(ns)), [0, 5, 49.96, 12345].map(f.format_rate)].map((list) => list.join(' | ')))`);
	const want = [
		'7.40 | 10.0 | 100 | 123',
		'7.4 | 10 | 123',
		'99.90 % | 93.00 % | 99.99 % | 100 %',
		'1.00 ms | 1.50 ms | 1.00 ms',
		'0/s | 5.00/s | 50.0/s | 12.3k/s',
	];
	demand(said.join() === want.join(), said.join('\n'));
}

module.exports = { names_itself, charts_read_well, bars_compare, digits_stand_still };
