/*
 * prometheus.js PORT BUILD CONF INSTANCE ATTACHED - ask a Prometheus that scrapes build/dash, under load and after it.
 * ATTACHED: are there eBPF histograms, yes or no?
 *
 * Prints "ok NAME" or "FAIL NAME".
 */
'use strict';
const { execFileSync, spawn } = require('child_process');

const [port, build, conf, instance, attached] = process.argv.slice(2);
const RATE = 4000; // packets/s, all classes together
const SECONDS = 12; // some more than a rate needs: a busy machine has its moments
const BUCKET = 1.25; // two edges of /metrics are at most so far apart

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

function demand(condition, what) {
	if (!condition) throw new Error(what);
}

async function api(path) {
	const answer = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`);
	const body = await answer.json();
	demand(body.status === 'success', `${path}: ${body.error}`);
	return body.data;
}

// class -> value
async function query(text) {
	const { result } = await api(`query?query=${encodeURIComponent(text)}`);
	return new Map(result.map((r) => [r.metric.class ?? '', Number(r.value[1])]));
}

async function until(what, seconds, test) {
	const deadline = Date.now() + seconds * 1000;
	let last = '';
	while (Date.now() < deadline) {
		try {
			if (await test()) return;
		} catch (e) {
			last = e.message;
		}
		await sleep(200);
	}
	throw new Error(`not within ${seconds} s: ${what} ${last}`);
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

async function is_scraped() {
	await until('the target is up', 15, async () => (await query('up{job="ontime"}')).get('') === 1);
	const [target] = (await api('targets')).activeTargets;
	demand(target.health === 'up' && target.lastError === '', `scrape: ${target.lastError}`);
	const types = await api('metadata');
	for (const [family, type] of [
		['ontime_latency_seconds', 'histogram'],
		['ontime_sent_packets_total', 'counter'],
		['ontime_queue_packets', 'gauge'],
	])
		demand(
			(types[family] ?? types[family.replace(/_total$/, '')])?.[0].type === type,
			`${family} is not known as a ${type}`,
		);
	demand((types.ontime_build_info ?? types.ontime_build)?.[0].type === 'info', 'the older format was scraped'); // it has no info
}

async function rates_are_sane(classes) {
	await until('rates of all classes', SECONDS, async () => {
		const rates = await query('rate(ontime_sent_packets_total[4s])');
		return classes.every((c) => Math.abs(rates.get(c) - RATE / classes.length) < (0.15 * RATE) / classes.length);
	});
	const q = await query('histogram_quantile(0.5, sum by (class, le) (rate(ontime_latency_seconds_bucket[4s])))');
	for (const c of classes) demand(q.get(c) > 5e-6 && q.get(c) < 1, `the median of ${c} is ${q.get(c)} s`);
	return classes.map((c) => `${c} p50 ${(q.get(c) * 1e6).toFixed(0)} us`).join(', ');
}

const stat = () => JSON.parse(execFileSync(`${build}/stat`, ['-i', instance, '--json'], { encoding: 'utf8' }));

async function it_agrees_in_the_end() {
	const now = stat();
	await until('all that was sent was scraped', 10, async () => {
		const sent = await query('ontime_sent_packets_total');
		return now.classes.every((c) => sent.get(c.class) === c.sent);
	});
	const received = await query('ontime_received_packets_total');
	const said = [];
	for (const [quantile, key] of [
		[0.5, 'p50'],
		[0.99, 'p99'],
	]) {
		const q = await query(`histogram_quantile(${quantile}, ontime_latency_seconds_bucket)`);
		for (const c of now.classes) {
			demand(
				c.sent > 1000 && received.get(c.class) === c.received,
				`${c.class}: ${received.get(c.class)} received, and stat has ${c.received}`,
			);
			const ratio = (q.get(c.class) * 1e9) / c.latency_ns[key];
			demand(
				ratio > 1 / BUCKET / 1.07 && ratio < BUCKET,
				`${key} of ${c.class}: ${q.get(c.class)} s, and stat has ${c.latency_ns[key]} ns`,
			);
			said.push(`${c.class} ${key} ${(100 * ratio).toFixed(0)} %`);
		}
	}
	const edge = await api(`query?query=${encodeURIComponent('ontime_latency_seconds_bucket')}`);
	for (const c of now.classes.filter((one) => one.budget_ns !== null)) {
		const found = edge.result.find(
			(r) => r.metric.class === c.class && Math.abs(Number(r.metric.le) * 1e9 - c.budget_ns) < 0.6,
		);
		demand(
			Number(found?.value[1]) === c.sent - c.sent_late,
			`${c.class} in time: ${found?.value[1]}, and stat has ${c.sent - c.sent_late}`,
		);
	}
	return `of stat's percentiles: ${said.join(', ')}`;
}

// Each rule of run/dash/alerts.yml evaluates, and of each metric that it names there are series.
async function alerts_have_their_metrics() {
	let rules;
	await until('all rules are evaluated', 15, async () => {
		rules = (await api('rules')).groups.flatMap((g) => g.rules);
		return rules.length > 0 && rules.every((r) => r.health === 'ok');
	});
	const names = new Set(rules.flatMap((r) => r.query.match(/ontime_[a-z_]+/g)));
	if (attached !== 'yes') names.delete('ontime_ebpf_packets');
	for (const name of names) demand((await query(`count(${name})`)).get('') > 0, `${name} has no series`);
	return `${rules.length} rules, ${names.size} metrics`;
}

(async () => {
	await check('it is scraped as OpenMetrics, types and all', is_scraped);
	const load = spawn(`${build}/load`, ['-c', conf, '--rate', String(RATE), '--seconds', String(SECONDS)], {
		stdio: 'ignore',
	});
	const ended = new Promise((resolve) => load.on('exit', resolve));
	const classes = stat().classes.map((c) => c.class);
	await check('a rate and a histogram_quantile under load are sane', () => rates_are_sane(classes));
	await ended;
	await check('every alert rule evaluates, and its metrics are there', alerts_have_their_metrics);
	await check('once traffic has stopped, counts agree exactly and percentiles within a bucket', it_agrees_in_the_end);
})();
