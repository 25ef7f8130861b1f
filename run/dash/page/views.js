/*
 * views.js - which charts there are, and what each one shows.
 *
 * Rules:   one function a chart; how it is drawn is charts.js's business, where the values come from model.js's.
 */
import { Chart, make, shade_of } from './charts.js';
import { REASONS, STAGES } from './counters.js';
import { format_limit, format_ns, format_number, format_percent, format_rate, format_tick, short, steady } from './format.js';
import { class_colour } from './panels.js';
import { board, classes, page } from './state.js';

const $ = (id) => document.getElementById(id);

const round_up = (x) => {
	const size = 10 ** Math.floor(Math.log10(x));
	return [1, 2, 2.5, 5, 10].find((k) => k * size >= x) * size;
};

// From zero, which itself is to be seen as a line, to a round number.
const from_zero = (max, least, spare = 1.05) => {
	const top = round_up(Math.max(max ?? 0, least) * spare);
	return [-0.015 * top, top];
};

// Down, or up, to 1, 2 or 5 times a power of ten.
function round_log(x, way) {
	const size = 10 ** Math.floor(Math.log10(x));
	return way < 0 ? [5, 2, 1].find((k) => k * size <= x) * size : [1, 2, 5, 10].find((k) => k * size >= x) * size;
}

// From a tenth of the budget to ten times of it, and farther where a median or a maximum leaves that.
function latency_range(c) {
	const [from, to] = board.view();
	const budget = page.model.latest(c.budget, from, to);
	const min = page.model.extreme(c.p50, from, to, Math.min) ?? Infinity;
	const max = page.model.extreme(c.max, from, to, Math.max) ?? 0;
	const [low, high] = budget ? [budget / 10, budget * 10] : [Infinity, 0];
	if (!max && !budget) return [1e4, 1e8];
	const bottom = min < low ? round_log(Math.max(0.98 * min, 1e3), -1) : low;
	const top = max > high ? round_log(1.02 * max, 1) : high;
	return [bottom, Math.max(top, 10 * bottom)];
}

function latency_chart(c) {
	const colour = class_colour(c);
	const dashed = { colour, width: 1.25, alpha: 0.75 };
	const article = make('article', { 'data-class': c.name });
	$('latency').append(article);
	return new Chart(
		article,
		{
			title: c.name,
			log: true,
			format: format_ns,
			ticks: format_limit,
			range: () => latency_range(c),
			limit: () => page.model.latest(c.budget, ...board.view()),
			limit_words: (ns) => `budget ${format_limit(ns)}`,
			bands: [[2, 0, colour]],
			series: [
				{ label: 'p50', colour, width: 1.25, alpha: 0.8, values: () => c.p50 },
				{ label: 'p95', ...dashed, dash: [8, 3], values: () => c.p95 },
				{ label: 'p99', colour, width: 2.25, values: () => c.p99 },
				{ label: 'p99.9', ...dashed, dash: [3, 3], values: () => c.p999 },
				{ label: 'max', ...dashed, alpha: 0.6, width: 1, dash: [1, 2], values: () => c.max },
			],
			empty: () => `No packet of class ${c.name} was sent in the time shown.`,
		},
		board,
	);
}

function ontime_range(min) {
	const spare = 100 - (min ?? 100);
	const low = [99, 95, 90, 50].find((x) => spare <= 100 - x) ?? 0;
	return [low || -1.5, 100 + (100 - low) * 0.04]; // a line at 0 is to be seen
}

const ontime_chart = () =>
	new Chart(
		$('ontime'),
		{
			title: 'On time, of all that were sent or dropped',
			format: format_percent,
			ticks: (v) => (v > 100 ? '' : `${short(v)} %`),
			range: ontime_range,
			series: classes().map((c) => ({ label: c.name, colour: class_colour(c), width: 2, values: () => c.ontime })),
			empty: () => 'Nothing was sent or dropped in the time shown.',
		},
		board,
	);

const throughput_chart = () =>
	new Chart(
		$('throughput'),
		{
			title: 'Packets per second, in and out',
			format: format_rate,
			ticks: format_tick,
			range: (min, max) => from_zero(max, 1),
			series: classes().flatMap((c) => [
				{ label: `${c.name} in`, colour: class_colour(c), width: 1.5, dash: [4, 3], alpha: 0.7, values: () => c.in },
				{ label: `${c.name} out`, colour: class_colour(c), width: 2, values: () => c.out },
			]),
			empty: () => 'No looks in the time shown.',
		},
		board,
	);

// The drops of the chosen class, or of all: computed once per refresh and reason.
function drop_rates(reason) {
	const cached = page.drop_rates?.[reason];
	if (cached) return cached;
	const chosen = classes().filter((c) => !page.drops_of || c.name === page.drops_of);
	const rates = page.model.t.map((t, i) => {
		let sum = null;
		for (const c of chosen) if (c.drop_rates[reason][i] !== null) sum = (sum ?? 0) + c.drop_rates[reason][i];
		return sum;
	});
	(page.drop_rates ??= {})[reason] = rates;
	return rates;
}

const dropped_in = (reason, from, to) =>
	classes()
		.filter((c) => !page.drops_of || c.name === page.drops_of)
		.reduce((sum, c) => sum + page.model.sum(c.drops[reason], from, to), 0);

function drops_chart() {
	const choice = make(
		'select',
		{ 'aria-label': 'drops of which class' },
		make('option', { value: '' }, 'all classes'),
		...classes().map((c) => make('option', { value: c.name }, c.name)),
	);
	if (!classes().some((c) => c.name === page.drops_of)) page.drops_of = '';
	choice.value = page.drops_of;
	choice.addEventListener('change', () => {
		page.drops_of = choice.value;
		page.refresh();
	});
	return new Chart(
		$('drops'),
		{
			title: 'Drops per second, by who and why',
			stack: true,
			choice,
			legend: 'grouped',
			ticks: format_tick,
			format: (v) => (v ? format_rate(v) : ''),
			range: (min, max) => [0, round_up(Math.max(max ?? 0, 1) * 1.05)],
			series: REASONS.map(({ name: reason, by, help }, i) => ({
				label: reason === by ? 'buffer full' : reason.replaceAll('_', ' '), // the kernel has that one reason
				help,
				group: by,
				group_colour: `${by}-1`,
				colour: shade_of(REASONS, i),
				values: () => drop_rates(reason),
				seen: (from, to) => dropped_in(reason, from, to),
				more: (from, to) => {
					const n = dropped_in(reason, from, to);
					return n ? ` ${format_number(n)} in all` : '';
				},
			})),
			empty: () => 'Nothing was dropped in the time shown.',
		},
		board,
	);
}

const lanes_chart = () =>
	new Chart(
		$('lanes'),
		{
			title: 'Lane occupancy, of each limit',
			format: (v) => (v === null ? '–' : `${steady(v)} %`),
			ticks: (v) => `${v} %`,
			range: (min, max) => ((max ?? 0) > 50 ? [-1.5, 104] : from_zero(max, 5)),
			above: $('meters'),
			height: 150,
			series: classes().flatMap((c) => [
				{ label: `${c.name} for edf`, colour: class_colour(c), width: 2, values: () => c.edf },
				{ label: `${c.name} for egress`, colour: class_colour(c), width: 1.5, dash: [4, 3], alpha: 0.7, values: () => c.egress },
			]),
			empty: () => 'No looks in the time shown.',
		},
		board,
	);

const cpu_chart = () =>
	new Chart(
		$('cpu'),
		{
			title: 'CPU per stage, of one CPU',
			format: format_percent,
			ticks: (v) => `${short(v)} %`,
			range: (min, max) => from_zero(max, 1),
			series: STAGES.map((s) => ({
				label: s,
				colour: `${s}-1`,
				width: 2,
				values: () => page.model.stages.get(s)?.cpu ?? [],
			})),
			empty: () => 'No looks in the time shown.',
		},
		board,
	);

// All of them, for the classes there are, in elements that are empty.
export function make_charts() {
	$('latency').style.setProperty('--columns', classes().length === 3 || classes().length > 4 ? 3 : 2);
	return [
		...classes().map(latency_chart),
		ontime_chart(),
		throughput_chart(),
		drops_chart(),
		lanes_chart(),
		cpu_chart(),
	];
}
