/*
 * page.js URL BUILD CONF INSTANCE DIR - the page in a real browser: from no instance over overload and a restart to a
 * recording. CONF is run/stress.conf with its own ports: 0.2-0.4 ms of work per packet, full lanes drop.
 *
 * Prints "ok NAME" or "FAIL NAME"; leaves BUILD/dash-{light,dark,phone,recording}.png.
 */
'use strict';
const fs = require('fs');
const { execFileSync, spawn } = require('child_process');
const { Browser } = require('./chromium.js');
const { odd_looks } = require('./odd.js');

const [url, build, conf, instance, dir] = process.argv.slice(2);
const EASY = 900; // packets/s; three classes share some 3,000
const OVERLOAD = 6000;
const CLASSES = ['high', 'medium', 'low'];
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const run = (...command) => execFileSync(command[0], command.slice(1), { encoding: 'utf8' });

function demand(condition, what) {
	if (!condition) throw new Error(what);
}

function load(rate, seconds) {
	const child = spawn(`${build}/load`, ['-c', conf, '--rate', String(rate), '--seconds', String(seconds)], {
		stdio: 'ignore',
	});
	return new Promise((resolve) => child.on('exit', resolve));
}

async function check(name, test) {
	try {
		const more = await test();
		console.log(`ok   ${name}${more ? `: ${more}` : ''}`);
	} catch (e) {
		console.log(`FAIL ${name}\n${e.message}`);
		process.exitCode = 1;
	}
}

/* What the page is asked, in its own words. */
const HELPERS = `
  // how many pixels of that element's chart have the colour of that name, from x on for so many
  window.painted = (selector, name, x = 0, width = 0) => {
    const canvas = document.querySelector(selector + ' .uplot canvas');
    const hex = getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
    const want = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
    copy.drawImage(canvas, 0, 0);
    const { data } = copy.getImageData(x, 0, width || canvas.width, canvas.height);
    let n = 0;
    for (let i = 0; i < data.length; i += 4)
      if (data[i + 3] > 200 && want.every((w, k) => Math.abs(data[i + k] - w) < 12)) n++;
    return n;
  };
  window.class_of = (name) => ontime.model.classes.get(name);
  window.last_of = (values, n) => values.filter((v) => v !== null).slice(-n);
  window.legend_of = (selector, label) => [...document.querySelectorAll(selector + ' .legend span')].find((e) => e.querySelector('em')?.textContent === label);
`;

let page;
const colour_of = (c) => `class-${CLASSES.indexOf(c)}`;

async function says_what_to_do() {
	await page.until(
		`!document.getElementById('empty').hidden && document.getElementById('empty-why').textContent.includes('not running')`,
		'the page says that nothing runs',
	);
	demand(
		(await page.evaluate(`document.getElementById('empty').innerText`)).includes('run/launch.sh'),
		'and not what to do',
	);
}

async function notices_the_launch() {
	run('run/launch.sh', '-c', conf);
	await page.until(
		`document.getElementById('status').textContent === 'running, balanced'`,
		'the page says that it runs',
	);
	demand(
		await page.evaluate(
			`document.querySelectorAll('.card[data-class]').length === 3 && !document.getElementById('main').hidden`,
		),
		'no card per class',
	);
}

// Not only there: each has points, and its canvas has the colours of its lines.
async function charts_are_drawn() {
	await page.until(
		`['high', 'medium', 'low'].every((c) => last_of(class_of(c).p99, 99).length >= 5 && last_of(class_of(c).out, 99).length >= 5)`,
		'five looks with traffic',
	);
	const lines = [
		...CLASSES.map((c) => [`#latency [data-class=${c}]`, colour_of(c)]),
		...['#ontime', '#throughput'].flatMap((id) => CLASSES.map((c) => [id, colour_of(c)])),
		...['ingress', 'edf', 'egress'].map((s) => ['#cpu', `${s}-1`]),
	];
	const covered = { '#ontime': 1, '#throughput': 1 }; // lines of classes may hide each other: together they count
	const pixels = {};
	for (const [selector, name] of lines)
		pixels[selector] = (pixels[selector] ?? 0) + (await page.evaluate(`painted('${selector}', '${name}')`));
	for (const [selector, n] of Object.entries(pixels))
		demand(n > (covered[selector] ? 60 : 15), // five points of a flat line are few, and none is drawn without data
			 `${selector}: ${n} pixels are painted`);
	for (const c of CLASSES.slice(0, 2))
		demand(
			(await page.evaluate(`painted('#latency [data-class=${c}]', 'bad')`)) > 60,
			`the budget of ${c} is not drawn`,
		);
	demand(
		await page.evaluate(`document.querySelectorAll('#spans .bar i').length === 18`),
		'not six spans for each class',
	);
	demand(
		await page.evaluate(`[...document.querySelectorAll('[data-stage] .pill')].every((e) => e.textContent === 'ready')`),
		'not all stages are ready',
	);
	return `${Object.values(pixels).reduce((a, b) => a + b)} pixels in ${Object.keys(pixels).length} charts`;
}

async function follows_overload() {
	const before = await page.evaluate(`Math.min(...last_of(class_of('low').p50, 8))`);
	const over = load(OVERLOAD, 5);
	await page.until(
		`Math.max(...last_of(class_of('low').p50, 8)) > ${5 * before}`,
		`the median of low rises above five times ${before} ns`,
		8,
	);
	await page.until(`Math.min(...last_of(class_of('low').ontime, 8)) < 90`, 'less of low is on time', 8);
	await page.until(
		`/\\/s/.test(legend_of('#drops', 'ingress full').innerText) && painted('#drops', 'ingress-2') > 200`,
		'drops for a full lane are drawn',
		8,
	);
	await page.until(
		`painted('#lanes', 'class-2') > 60 && Math.max(...last_of(class_of('low').edf, 12)) > 90`,
		'the lane of low is full',
		8,
	);
	const known = Object.keys(JSON.parse(run(`${build}/stat`, '-i', instance, '--json')).classes[0].dropped);
	const named = await page.evaluate(
		`[...document.querySelectorAll('#drops .legend em')].map((e) => e.textContent.replaceAll(' ', '_')).join()`,
	);
	demand(named === known.join().replace(/^kernel/, 'buffer_full'), `the legend has ${named}, and stat ${known}`);
	const explained = await page.evaluate(`document.querySelectorAll('#drops .legend span[title]').length`);
	demand(explained === known.length, `${explained} of ${known.length} reasons are explained`);
	const groups = await page.evaluate(
		`[...document.querySelectorAll('#drops .group')].map((g) => g.querySelector('i').textContent).join()`,
	);
	demand(groups === 'kernel,ingress,edf,egress', groups);
	demand(
		await page.evaluate(
			`legend_of('#drops', 'oversize').classList.contains('none') && legend_of('#drops', 'poison').classList.contains('none')`,
		),
		'other reasons show drops',
	);
	demand(await page.evaluate(`document.querySelectorAll('.card .facts b.bad').length > 0`), 'no card is alarmed');
	const after = await page.evaluate(`Math.max(...last_of(class_of('low').p50, 12))`);
	await over;
	return `median of low from ${(before / 1e6).toFixed(1)} to ${(after / 1e6).toFixed(1)} ms`;
}

// In the colour of the stage, in each chart, at its time, from top to bottom.
async function marks_a_restart() {
	run('run/restart.sh', 'egress', '-c', conf);
	await page.until(
		`ontime.model.events.some((e) => e.stage === 'egress' && e.text.includes('restarted'))`,
		'the restart is noticed',
	);
	await page.until(`document.getElementById('events').innerText.includes('egress was restarted: pid ')`, 'and told');
	await page.until(
		`document.querySelector('[data-stage=egress] .facts').innerText.replace(/\\s+/g, ' ').includes('restarts 1')`,
		'and counted',
	);
	for (const selector of ['#latency [data-class=high]', '#drops', '#cpu']) {
		const n = await page.evaluate(`(() => {
      const chart = ontime.charts.find((c) => c.parent.matches('${selector}'));
      const e = ontime.model.events.find((one) => one.stage === 'egress');
      return painted('${selector}', 'egress-1', Math.round(chart.u.valToPos(e.t, 'x', true)) - 1, 3);
    })()`);
		demand(n > 40, `${selector}: ${n} pixels mark it`);
	}
}

// A cursor shows the values of its time in all charts; a drag looks closer, a double click goes back, a pause holds.
async function obeys_the_mouse() {
	const place = await page.evaluate(`(() => {
    document.querySelector('[data-seconds="0"]').click();
    const over = document.querySelector('#ontime .u-over');
    over.scrollIntoView({ block: 'center' });
    const r = over.getBoundingClientRect();
    return [r.left, r.top + r.height / 2, r.width];
  })()`);
	const at = (share) => [Math.round(place[0] + share * place[2]), Math.round(place[1])];
	await page.hover(at(0.5));
	await page.until(
		`/^\\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector('#cpu .at').textContent)`,
		'the time under the cursor, in another chart',
	);
	const [from, to] = await page.evaluate(
		`(() => { const { min, max } = ontime.charts[0].u.scales.x; return [min, max]; })()`,
	);
	await page.drag(at(0.25), at(0.75));
	await page.until(
		`ontime.charts.every((c) => Math.abs(c.u.scales.x.max - c.u.scales.x.min - ${(to - from) / 2}) < ${(to - from) / 20})`,
		'half of the time is shown',
	);
	await page.drag(at(0.5), null, 2);
	await page.until(`ontime.zoomed === null && ontime.charts[0].u.scales.x.max >= ${to}`, 'all of it again');
	await page.evaluate(`document.getElementById('pause').click()`);
	const held = await page.evaluate(`ontime.charts[0].u.scales.x.max`);
	await page.until(`ontime.live.t[ontime.live.t.length - 1] > ${held} + 1`, 'looks still come');
	demand((await page.evaluate(`ontime.charts[0].u.scales.x.max`)) === held, 'a pause does not hold');
	await page.evaluate(`document.getElementById('pause').click(); scrollTo(0, 0)`);
	await page.hover([5, 5]);
	await page.until(`ontime.charts[0].u.scales.x.max > ${held}`, 'it goes on');
}

async function looks_right_everywhere() {
	await page.evaluate(`document.querySelector('[data-seconds="60"]').click()`);
	// For the picture: some calm after the storm, if the machine has any. Nothing depends on it.
	await page.until(`last_of(class_of('low').dropped, 10).every((n) => n === 0)`, 'calm', 5).catch(() => {});
	await page.screenshot(`${build}/dash-light.png`, 1320);
	await page.set_dark(true);
	await page.until(
		`getComputedStyle(document.documentElement).backgroundColor === 'rgb(13, 18, 24)' && painted('#latency [data-class=high]', 'class-0') > 40`,
		'dark ground, and lines in their dark colours',
	);
	await page.screenshot(`${build}/dash-dark.png`);
	await page.set_size(390, 844, true);
	await page.until(
		`document.documentElement.scrollWidth <= innerWidth && innerWidth === 390`,
		'a phone need not scroll sideways',
	);
	await page.until(
		`[...document.querySelectorAll('.uplot')].every((e) => e.getBoundingClientRect().right <= 390)`,
		'charts fit a phone',
	);
	await page.screenshot(`${build}/dash-phone.png`);
	await page.set_dark(false);
	await page.set_size(1280, 900);
	await page.until(`document.querySelector('#latency .uplot').clientWidth > 300`, 'and are wide again');
}

// Numbers of the last look, as the page has them.
async function agrees_in_the_end() {
	const stat = JSON.parse(run(`${build}/stat`, '-i', instance, '--json'));
	const want = JSON.stringify(
		stat.classes.map((c) => [c.class, c.received, c.sent, c.sent_bytes, c.sent_late, c.held, c.dropped]),
	);
	await page.until(
		`JSON.stringify(ontime.live.last.classes.map((c) => [c.class, c.received, c.sent, c.sent_bytes, c.sent_late, c.held, c.dropped])) === ${JSON.stringify(want)}`,
		`the page has ${want}`,
		5,
	);
	const drawn = await page.evaluate(`class_of('low').drops.ingress_full.reduce((sum, n) => sum + (n ?? 0), 0)`);
	demand(
		drawn === stat.classes[2].dropped.ingress_full && drawn > 0,
		`${drawn} drops are drawn, and stat has ${stat.classes[2].dropped.ingress_full}`,
	);
	return `${stat.classes.reduce((n, c) => n + c.received, 0)} packets, ${drawn} drops of low`;
}

async function keeps_the_past() {
	const before = await page.evaluate('ontime.live.t.length');
	await page.send('Page.reload');
	await page.until(`window.ontime?.live.t.length >= ${before}`, 'the past is back after a reload', 5);
	await page.evaluate(HELPERS);
	await page.until(`document.getElementById('events').innerText.includes('egress was restarted')`, 'with its events');
}

// As `stat --record` writes it.
async function record() {
	const file = `${dir}/recording.jsonl`;
	const recorder = spawn(`${build}/stat`, ['-i', instance, '--record', file], { stdio: 'ignore' });
	await load(EASY, 5);
	await sleep(1500);
	recorder.kill('SIGTERM');
	await new Promise((resolve) => recorder.on('exit', resolve));
	return file;
}

async function opens_a_recording() {
	const file = await record();
	const lines = fs.readFileSync(file, 'utf8').trim().split('\n');
	const last = JSON.parse(lines.pop());
	last.classes[0].send_errors = { EMSGSIZE: 7 }; // that takes more than loopback to come about
	fs.writeFileSync(file, [...lines, JSON.stringify(last), 'half a li'].join('\n'));
	const looks = lines.length + 1;
	await page.set_file('#file', file);
	await page.until(
		`document.getElementById('status').textContent === 'recording · ${looks} looks'`,
		`${looks} looks are shown`,
	);
	const notice = await page.evaluate(`document.getElementById('notice').textContent`);
	demand(/^recording\.jsonl: \d{4}-\d\d-\d\d .* to .*; 1 line could not be read \(line \d+: no JSON\)$/.test(notice), notice);
	await page.until(
		`painted('#latency [data-class=high]', 'class-0') > 40 && painted('#throughput', 'class-2') > 40`,
		'the recording is drawn',
	);
	demand(
		(await page.evaluate(`document.getElementById('errors').innerText`)) ===
			'Send errors since launch: high EMSGSIZE 7',
		'no errno is named',
	);
	await page.screenshot(`${build}/dash-recording.png`);
	await page.evaluate(`document.getElementById('live').click()`);
	await page.until(`document.getElementById('status').textContent === 'running, balanced'`, 'back to live');
	await page.evaluate(`(() => {
    const data = new DataTransfer();
    data.items.add(new File(['nothing\\n'], 'wrong.txt'));
    dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  })()`);
	await page.until(
		`!document.getElementById('empty').hidden && document.getElementById('notice').textContent.includes('wrong.txt')`,
		'a dropped file that is none says so',
	);
	await page.evaluate(`document.getElementById('live').click()`);
}

// Each part of a look replaced by each odd value, every one of them between two good looks.
async function skips_odd_looks() {
	const good = JSON.parse(fs.readFileSync(`${dir}/recording.jsonl`, 'utf8').split('\n')[3]);
	good.causes = [{ cause: 'stuck', text: 'class high' }];
	const odd = odd_looks(good);
	const lines = odd.map((look, i) => ({ look, at: good.at_unix_ms + 1000 * (2 * i + 1) }));
	const file = `${dir}/odd.jsonl`;
	fs.writeFileSync(
		file,
		lines
			.flatMap(({ look, at }) => [
				JSON.stringify(typeof look === 'object' && look && look.at_unix_ms ? { ...look, at_unix_ms: at } : look),
				JSON.stringify({ ...good, at_unix_ms: at + 1000, at_ns: good.at_ns + (at - good.at_unix_ms) * 1e6 }),
			])
			.join('\n'),
	);
	const before = page.complaints.length;
	await page.set_file('#file', file);
	await page.until(`document.getElementById('notice').textContent.startsWith('odd.jsonl: ')`, 'the file is shown');
	const notice = await page.evaluate(`document.getElementById('notice').textContent`);
	const skipped = Number(/; (\d+) lines could not be read \(line 1: it is no object; line 3: /.exec(notice)?.[1]);
	demand(skipped > odd.length / 2 && skipped < odd.length, `of ${odd.length} odd ones: ${notice}`);
	const looks = await page.evaluate(`ontime.model.n_looks`);
	demand(looks === 2 * odd.length - skipped, `${looks} looks, of ${2 * odd.length} with ${skipped} skipped`);
	await page.until(`document.querySelectorAll('.card[data-class=high]').length === 1`, 'the good ones are drawn');
	demand(page.complaints.length === before, page.complaints.slice(before, before + 3).join('\n'));
	await page.evaluate(`document.getElementById('live').click()`);
	return `${skipped} of ${odd.length} skipped, with the reason`;
}

async function survives_the_instance() {
	run('run/stop.sh', '-c', conf);
	await page.until(
		`document.getElementById('status').textContent === 'not running' && !document.getElementById('notice').hidden`,
		'the page says that it was stopped',
	);
	run('run/launch.sh', '-c', conf);
	await page.until(
		`document.getElementById('status').textContent === 'running, balanced' && document.getElementById('events').innerText.includes('launched anew')`,
		'and that it was launched anew',
	);
}

(async () => {
	const browser = await Browser.start();
	try {
		page = await browser.page(`${url}/`, { width: 1280, height: 900 });
		await page.until(`document.readyState === 'complete'`, 'the page is loaded');
		await page.evaluate(HELPERS);
		await check('without an instance the page says what to do', says_what_to_do);
		await check('it notices the launch', notices_the_launch);
		const easy = load(EASY, 5);
		await check('each chart is drawn with data', charts_are_drawn);
		await easy;
		await check('overload shows: latency rises, drops appear under their reason', follows_overload);
		const after = load(EASY, 12);
		await check('a restart is marked in the charts', marks_a_restart);
		await check('the mouse shows, looks closer, and goes back', obeys_the_mouse);
		await check('light, dark, and on a phone', looks_right_everywhere);
		await after;
		await check('once traffic has stopped, page and stat --json agree on every count', agrees_in_the_end);
		await check('a reload keeps the past', keeps_the_past);
		await check('a recording is opened, and a wrong file refused', opens_a_recording);
		await check('odd looks in a recording are skipped and said', skips_odd_looks);
		await check('the page survives its instance', survives_the_instance);
		await check('no request went to another host', () => {
			const foreign = page.requests.filter((r) => !r.startsWith(`${url}/`));
			demand(foreign.length === 0 && page.requests.length > 8, foreign.join('\n'));
		});
		await check('the console is empty', () => demand(page.complaints.length === 0, page.complaints.join('\n')));
	} finally {
		await browser.stop();
	}
})();
