/*
 * page.js URL BUILD CONF INSTANCE DIR OTHER_CONF OTHER_INSTANCE - the page in a real browser: from no instance over
 * overload and a restart to a recording. CONF is run/stress.conf with its own ports: 0.2-0.4 ms of work per packet, full lanes drop.
 *
 * Prints "ok NAME" or "FAIL NAME"; leaves BUILD/dash-{light,dark,phone,recording}.png.
 */
'use strict';
const fs = require('fs');
const { Browser } = require('./chromium.js');
const reads = require('./reads.js');
const recordings = require('./recordings.js');
const { rig, run, demand, load, check, HELPERS } = require('./rig.js');

const { url, build, conf, instance } = rig;
const EASY = 900; // packets/s; three classes share some 3,000
const OVERLOAD = 6000;
const CLASSES = ['high', 'medium', 'low'];

const colour_of = (c) => `class-${CLASSES.indexOf(c)}`;

async function says_what_to_do(page) {
	await page.until(
		`!document.getElementById('empty').hidden && document.getElementById('empty-title').textContent === "Instance '${instance}' is not running"`,
		'the page says that nothing runs',
	);
	const text = await page.evaluate(`document.getElementById('empty').innerText`);
	const launch =
		instance === 'stress' ? 'run/launch.sh -c run/stress.conf' : `run/launch.sh -c FILE, where FILE says instance = ${instance},`;
	for (const words of [launch, `build/stat -i ${instance} --record`])
		demand(text.includes(words), `it says not what to do: ${text}`);
}

async function notices_the_launch(page) {
	run('run/launch.sh', '-c', conf);
	await page.until(
		`document.getElementById('status').textContent.startsWith('running, balanced; ')`,
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
async function charts_are_drawn(page) {
	await page.until(
		`['high', 'medium', 'low'].every((c) => last_of(class_of(c).p99, 99).length >= 8 && last_of(class_of(c).out, 99).length >= 8)`,
		'eight looks with traffic',
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
		demand(n > (covered[selector] ? 60 : 15), // eight points of a flat line are few, and none is drawn without data
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

async function follows_overload(page) {
	const before = await page.evaluate(`Math.min(...last_of(class_of('low').p50, 8))`);
	const over = load(OVERLOAD, 5);
	await page.until(
		`Math.max(...last_of(class_of('low').p50, 8)) > ${5 * before}`,
		`the median of low rises above five times ${before} ns`,
		8,
	);
	await page.until(`Math.min(...last_of(class_of('low').ontime, 8)) < 90`, 'less of low is on time', 8);
	await page.until(
		`document.getElementById('status').matches('.bad') && /^running, balanced; .*low drops \\d+\\s%/.test(document.getElementById('status').textContent)`,
		'the status tells of the service too',
		8,
	);
	await page.until(`/first drop of low: ingress full/.test(document.getElementById('events').innerText)`, 'and when that began');
	await page.until(
		`/\\d in all/.test(legend_of('#drops', 'ingress full').innerText) && painted('#drops', 'ingress-5') > 200`,
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

// What it changed, when, and from then on in the head; marked in the charts.
async function tells_a_reload(page) {
	fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace(/^policy = .*/m, 'policy = guarded'));
	run(`${build}/hold`, '--signal', 'supervisor', 'HUP', '-i', instance);
	await page.until(`document.getElementById('events').innerText.includes('reload: policy: edf → guarded')`, 'the reload is told');
	await page.until(`document.getElementById('about').textContent.includes('policy guarded')`, 'and in force');
	await page.until(`painted_at('#cpu', 'accent', 'reload') > 40`, 'and marked');
	demand(
		(await page.evaluate(`document.getElementById('events').innerText`)).includes('the instance was launched'),
		'the launch is not told',
	);
}

// On the card of a class whose configuration marks ECN, and on no other.
async function shows_marks(page) {
	const with_marks = `[...document.querySelectorAll('.card')].filter((c) => c.innerText.includes('marked CE')).map((c) => c.dataset.class).join()`;
	demand((await page.evaluate(with_marks)) === '', 'a card shows marks of a class that does not mark');
	fs.writeFileSync(conf, fs.readFileSync(conf, 'utf8').replace('[class high]', '[class high]\necn = mark'));
	run(`${build}/hold`, '--signal', 'supervisor', 'HUP', '-i', instance);
	await page.until(`${with_marks} === 'high'`, 'the class that marks shows it');
}

// In the colour of the stage, in each chart, at its time, from top to bottom.
async function marks_a_restart(page) {
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
		const n = await page.evaluate(`painted_at('${selector}', 'egress-1', 'egress was')`);
		demand(n > 40, `${selector}: ${n} pixels mark it`);
	}
}

// A cursor shows the values of its time in all charts; a drag looks closer, a double click goes back, a pause holds.
async function obeys_the_mouse(page) {
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

async function looks_right_everywhere(page) {
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
	const folded = await page.evaluate(`document.documentElement.scrollHeight`);
	demand(folded < 1300, `${folded} pixels to scroll through on a phone`);
	await page.screenshot(`${build}/dash-phone.png`);
	await page.evaluate(`document.querySelectorAll('summary').forEach((s) => s.click())`);
	await page.until(
		`document.querySelector('#latency .uplot').clientWidth > 250 && painted('#latency [data-class=high]', 'class-0') > 40`,
		'a section that is unfolded is drawn',
	);
	await page.until(
		`[...document.querySelectorAll('.uplot')].every((e) => e.getBoundingClientRect().right <= 390)`,
		'charts fit a phone',
	);
	await page.set_dark(false);
	await page.set_size(1280, 900);
	await page.until(`document.querySelector('#latency .uplot').clientWidth > 300`, 'and are wide again');
}

// Numbers of the last look, as the page has them.
async function agrees_in_the_end(page) {
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

async function keeps_the_past(page) {
	const before = await page.evaluate('ontime.live.t.length');
	await page.send('Page.reload');
	await page.until(`window.ontime?.live.t.length >= ${before}`, 'the past is back after a reload', 5);
	await page.evaluate(HELPERS);
	await page.until(`document.getElementById('events').innerText.includes('egress was restarted')`, 'with its events');
}

async function survives_the_instance(page) {
	run('run/stop.sh', '-c', conf);
	await page.until(
		`document.getElementById('status').textContent === 'not running' && !document.getElementById('notice').hidden`,
		'the page says that it was stopped',
	);
	run('run/launch.sh', '-c', conf);
	await page.until(
		`document.getElementById('state').textContent === 'running, balanced' && document.getElementById('events').innerText.includes('launched anew')`,
		'and that it was launched anew',
	);
}

(async () => {
	const browser = await Browser.start();
	try {
		const page = await browser.page(`${url}/`, { width: 1280, height: 900 });
		rig.page = page;
		await page.until(`document.readyState === 'complete'`, 'the page is loaded');
		await page.evaluate(HELPERS);
		await check('without an instance the page says what to do', says_what_to_do);
		await check('it notices the launch', notices_the_launch);
		const easy = load(EASY, 5);
		await check('each chart is drawn with data', charts_are_drawn);
		await easy;
		await check('each line has a name, each class its range, and no word lies over a line', reads.charts_read_well);
		await check('bars compare, with each other and with the budgets', reads.bars_compare);
		await check('digits stand still', reads.digits_stand_still);
		await check('the head says who it is, and leads to other instances', reads.names_itself);
		await check('overload shows: latency rises, drops appear under their reason', follows_overload);
		const after = load(EASY, 12);
		await check('a reload is told and marked', tells_a_reload);
		await check('marks are shown where a class marks', shows_marks);
		await check('a restart is marked in the charts', marks_a_restart);
		await check('the mouse shows, looks closer, and goes back', obeys_the_mouse);
		await check('light, dark, and on a phone', looks_right_everywhere);
		await after;
		await check('once traffic has stopped, page and stat --json agree on every count', agrees_in_the_end);
		await check('a reload keeps the past', keeps_the_past);
		await check('a recording is opened, and a wrong file refused', recordings.opens_a_recording);
		await check('odd looks in a recording are skipped and said', recordings.skips_odd_looks);
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
