/*
 * agree.js METRICS STAT_JSON COUNTERS_JS - does /metrics (as get.js prints it) say what `stat --json` says? Every count must be
 * equal, every bucket the sum of stat's, the edge at the budget the packets that were in time. And does counters.js, which the
 * page is made of, name each reason and span that stat names, and no other?
 */
'use strict';
const fs = require('fs');

const [metrics_file, json_file, counters_file] = process.argv.slice(2);
const stat = JSON.parse(fs.readFileSync(json_file, 'utf8'));
const metrics = new Map();
for (const line of fs.readFileSync(metrics_file, 'utf8').split('\n')) {
	const found = /^([a-z_]+(?:\{[^}]*\})?) ([-+0-9.e]+)$/.exec(line);
	if (found) metrics.set(found[1], found[2]);
}

let compared = 0;
const wrong = [];
function expect(key, want) {
	compared++;
	if (metrics.get(key) === undefined || Number(metrics.get(key)) !== Number(want))
		wrong.push(`${key}: ${metrics.get(key)}, and stat has ${want}`);
}

// What counters.js exports under a name.
const counters_text = fs.readFileSync(counters_file, 'utf8');
const described = (name) => JSON.parse(new RegExp(`^export const ${name} = (\\[[^]*?\\]);$`, 'm').exec(counters_text)[1]);
const stage_of = Object.fromEntries(described('REASONS').map((r) => [r.name, r.by]));
function expect_names(what, names, keys) {
	compared++;
	if (names.join() !== keys.join()) wrong.push(`counters.js has ${what} ${names}, and stat ${keys}`);
}
const EDGE_TOLERANCE_NS = 0.6; // seconds as a double are not whole nanoseconds

function histogram(c) {
	const buckets = [...metrics].filter(([key]) => key.startsWith(`ontime_latency_seconds_bucket{class="${c.class}"`));
	let last = -1;
	let last_edge = -1;
	let budget_seen = false;
	for (const [key, text] of buckets) {
		const le = /le="([^"]*)"/.exec(key)[1];
		const edge = le === '+Inf' ? Infinity : Number(le) * 1e9;
		const count = Number(text);
		if (count < last || edge <= last_edge) wrong.push(`${key} is out of order`);
		[last, last_edge] = [count, edge];
		if (c.budget_ns !== null && Math.abs(edge - c.budget_ns) < EDGE_TOLERANCE_NS) {
			budget_seen = true;
			expect(key, c.sent - c.sent_late);
			continue;
		}
		// stat's bucket [edge, ..) holds nothing at or below le, if it begins above it
		expect(
			key,
			c.latency_buckets.filter(([from]) => from <= edge + EDGE_TOLERANCE_NS).reduce((sum, [, n]) => sum + n, 0),
		);
	}
	if (buckets.length < 50) wrong.push(`class ${c.class} has ${buckets.length} buckets`);
	if (c.budget_ns !== null && !budget_seen) wrong.push(`class ${c.class} has no edge at its budget`);
	expect(`ontime_latency_seconds_count{class="${c.class}"}`, c.sent);
	expect(`ontime_latency_seconds_sum{class="${c.class}"}`, c.latency_ns.sum / 1e9);
}

let packets = 0;
for (const c of stat.classes) {
	const of = (name, value) => expect(`ontime_${name}{class="${c.class}"}`, value);
	of('received_packets_total', c.received);
	of('sent_packets_total', c.sent);
	of('sent_bytes_total', c.sent_bytes);
	of('sent_late_packets_total', c.sent_late);
	of('held_packets', c.held);
	of('unbalanced_packets', 0);
	of('send_waits_total', c.send_waits);
	of('refused_events_total', c.refused_events);
	of('unexpected_reply_packets_total', c.unexpected_reply);
	of('sessions_open', c.sessions_open);
	of('sessions_limit', c.sessions);
	if (c.budget_ns !== null) of('budget_seconds', c.budget_ns / 1e9);
	for (const [reason, n] of Object.entries(c.dropped))
		expect(
			`ontime_dropped_packets_total{class="${c.class}",stage="${stage_of[reason]}",reason="${reason}"}`,
			n,
		);
	for (const [errno, n] of Object.entries(c.send_errors))
		expect(`ontime_send_errors_total{class="${c.class}",errno="${errno}"}`, n);
	for (const [span, ns] of Object.entries(c.span_ns))
		expect(`ontime_span_seconds_total{class="${c.class}",span="${span}"}`, ns / 1e9);
	for (const [span, n] of Object.entries(c.late_span))
		expect(`ontime_late_span_packets_total{class="${c.class}",span="${span}"}`, n);
	for (const [queue, limit] of [
		['ingress_to_edf', c.ingress_to_edf],
		['edf_to_egress', c.edf_to_egress],
	])
		expect(`ontime_queue_limit_packets{class="${c.class}",queue="${queue}"}`, limit);
	expect_names('REASONS', Object.keys(stage_of), Object.keys(c.dropped));
	expect_names(
		'SPANS',
		described('SPANS').map((s) => s.name),
		Object.keys(c.span_ns),
	);
	histogram(c);
	packets += c.received;
}
expect_names(
	'STAGES',
	described('STAGES'),
	stat.stages.map((s) => s.stage),
);
for (const s of stat.stages) {
	expect(`ontime_stage_up{stage="${s.stage}"}`, 1);
	expect(`ontime_stage_starts_total{stage="${s.stage}"}`, s.starts);
}
if (packets < 1000) wrong.push(`only ${packets} packets: that proves nothing`);
console.log(wrong.length ? wrong.slice(0, 10).join('\n') : `${compared} figures agree, of ${packets} packets`);
process.exit(wrong.length ? 1 : 0);
