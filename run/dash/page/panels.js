/*
 * panels.js - what is said in words and bars: the classes' cards, lane meters, spans, stages, events.
 *
 * Rules:   each panel is a function of the model and the time shown; it fills its element anew. Text only, never markup.
 */
import { make, shade_of } from './charts.js';
import { SPANS } from './counters.js';
import { format_age, format_limit, format_number, format_ns, format_percent, format_rate, format_time, steady } from './format.js';
import { mark_of_share, NOW_SECONDS } from './state.js';

export const class_colour = (c) => `class-${c.index % 16}`;
const words = (name) => name.replaceAll('_', ' ');

function fact(label, value, mark = '') {
	return [make('span', {}, label), make('b', { class: mark }, value)];
}

// A destination that is up says no more; another one why, and since when.
function destination_fact(d) {
	const mark = d.state === 'down' ? 'bad' : d.state === 'up' ? '' : 'warn';
	return fact(d.name, d.state === 'up' ? 'up' : `${d.state} ${format_age(d.age_ns)}: ${d.text}`, mark);
}

function card_of(model, c, from, to) {
	const now = Math.max(from, to - NOW_SECONDS);
	const ended = model.sum(c.ended, now, to);
	const share = ended ? (100 * model.sum(c.in_time, now, to)) / ended : null;
	const budget = model.latest(c.budget, from, to);
	const p99 = model.latest(c.p99, now, to);
	const rate = (values) => model.mean(values, now, to);
	const mark = share === null ? '' : mark_of_share(share);
	return make(
		'article',
		{ class: 'card', colour: `var(--${class_colour(c)})`, 'data-class': c.name },
		make('div', { class: 'top' }, make('b', {}, c.name), budget ? `within ${format_limit(budget)}` : 'no deadline'),
		make('div', { class: `big ${mark}` }, make('span', {}, format_percent(share)), make('small', {}, budget ? 'on time' : 'delivered')),
		make(
			'div',
			{ class: 'facts' },
			...fact('in', format_rate(rate(c.in))),
			...fact('p99', format_ns(p99), budget && p99 > budget ? 'bad' : ''),
			...fact('out', format_rate(rate(c.out))),
			...fact('late', format_rate(rate(c.late_rate)), rate(c.late_rate) ? 'bad' : ''),
			...fact('Mbit/s', rate(c.bits) === null ? '–' : steady(rate(c.bits) / 1e6)),
			...fact('dropped', format_rate(rate(c.dropped_rate)), rate(c.dropped_rate) ? 'bad' : ''),
			...(c.sessions ? fact('sessions', c.sessions) : []),
			...(c.unexpected ? fact('unexpected replies', String(c.unexpected), 'warn') : []),
			...(c.destinations ?? []).flatMap(destination_fact),
			...(c.marks ? fact('marked CE', format_rate(rate(c.marked_rate)), rate(c.marked_rate) ? 'warn' : '') : []),
		),
	);
}

export function show_cards(element, model, [from, to]) {
	element.replaceChildren(...[...model.classes.values()].map((c) => card_of(model, c, from, to)));
}

function meter(pkts, limit) {
	return make(
		'div',
		{ class: 'meter' },
		make('div', { class: 'track' }, make('i', { width: `${limit ? Math.min(100, (100 * (pkts ?? 0)) / limit) : 0}%` })),
		make('span', { class: 'count' }, `${pkts ?? '–'} / ${limit}`),
	);
}

// How full the lanes are now, against both limits.
export function show_meters(element, model, [from, to]) {
	const rows = [
		make('span', { class: 'corner' }),
		make('span', {}, 'waiting for edf'),
		make('span', {}, 'waiting for egress'),
	];
	for (const c of model.classes.values()) {
		const row = [
			make('span', { class: 'name' }, c.name),
			meter(model.latest(c.edf_pkts, from, to), c.last.ingress_to_edf),
			meter(model.latest(c.egress_pkts, from, to), c.last.edf_to_egress),
		];
		row.forEach((e) => e.style.setProperty('--colour', `var(--${class_colour(c)})`));
		rows.push(...row);
	}
	element.replaceChildren(...rows);
}

function late_words(model, c, from, to) {
	const parts = SPANS.map((s) => [s.name, model.sum(c.late_spans[s.name], from, to)])
		.filter(([, n]) => n > 0)
		.sort((a, b) => b[1] - a[1]);
	const all = parts.reduce((sum, [, n]) => sum + n, 0);
	if (!all) return [];
	const text = parts
		.slice(0, 2)
		.map(([s, n]) => `${words(s)} (${Math.round((100 * n) / all)} %)`)
		.join(', ');
	return [make('span', { class: 'late' }, `${format_number(all)} late packets lost most time in ${text}`)];
}

const means_of = (model, c, from, to) => {
	const sent = model.sum(c.sent, from, to);
	return SPANS.map((s) => (sent ? model.sum(c.spans[s.name], from, to) / sent : 0));
};
const whole = (mean) => mean.reduce((a, b) => a + b, 0);

const MOST_VOID = 4; // a budget is on the scale if that leaves the longest bar at least one part in so many

// What all bars have in common: the time that the whole width means. Budgets are on it as far as they fit.
function scale_of(longest, budgets) {
	let top = longest;
	for (const b of budgets.filter(Boolean).sort((a, z) => a - z)) if (b <= MOST_VOID * longest) top = Math.max(top, b);
	const size = 10 ** Math.floor(Math.log10(top));
	return [1, 2, 3, 4, 6, 8, 10].find((k) => k * size >= 1.02 * top) * size;
}

function budget_mark(budget, scale) {
	const title = `budget ${format_limit(budget)}`;
	return budget <= scale
		? make('u', { class: 'budget', left: `${(100 * budget) / scale}%`, title })
		: make('u', { class: 'budget beyond', title }, '▸');
}

function span_row(model, c, from, to, mean, scale) {
	const all = whole(mean);
	const budget = model.latest(c.budget, from, to);
	const piece = (s, i) =>
		make('i', {
			colour: `var(--${shade_of(SPANS, i)})`,
			width: `${(100 * mean[i]) / scale}%`,
			title: `${words(s.name)} ${format_ns(mean[i])}: ${s.help}`,
		});
	const part = (s, i) =>
		make(
			'span',
			{ title: s.help },
			make('i', { class: 'dot', colour: `var(--${shade_of(SPANS, i)})` }),
			words(s.name),
			make('b', {}, format_ns(mean[i])),
		);
	return make(
		'div',
		{ class: 'span-row', 'data-class': c.name },
		make('span', { class: 'name' }, c.name),
		make('div', { class: 'bar' }, ...(all ? SPANS.map(piece) : []), ...(budget && scale ? [budget_mark(budget, scale)] : [])),
		make(
			'span',
			{ class: `mean ${budget && all > budget ? 'bad' : ''}` },
			all ? format_ns(all) : '–',
			make('small', {}, budget ? `of ${format_limit(budget)}` : 'no deadline'),
		),
		make(
			'div',
			{ class: 'parts' },
			...(all ? SPANS.map(part) : [make('span', {}, 'nothing was sent in the time shown')]),
			...late_words(model, c, from, to),
		),
	);
}

function scale_row(scale) {
	const tick = (k) => make('span', { left: `${25 * k}%` }, format_limit((scale * k) / 4));
	return make('div', { class: 'span-row scale' }, make('span'), make('div', { class: 'ticks' }, ...[1, 2, 3, 4].map(tick)));
}

// Bars of one scale, so that their lengths compare, between classes and with the budgets.
export function show_spans(element, model, [from, to]) {
	const classes = [...model.classes.values()];
	const means = classes.map((c) => means_of(model, c, from, to));
	const longest = Math.max(...means.map(whole));
	const scale = longest ? scale_of(longest, classes.map((c) => model.latest(c.budget, from, to))) : 0;
	element.replaceChildren(
		...(scale ? [scale_row(scale)] : []),
		...classes.map((c, i) => span_row(model, c, from, to, means[i], scale)),
	);
}

function stage_card(model, s, from, to) {
	const good = s.last.state === 'ready' && !model.error;
	return make(
		'article',
		{ class: 'card', colour: `var(--${s.name}-1)`, 'data-stage': s.name },
		make(
			'div',
			{ class: 'top' },
			make('b', {}, s.name),
			make('span', { class: `pill ${good ? 'good' : 'bad'}` }, model.error ? 'unknown' : s.last.state),
		),
		make(
			'div',
			{ class: 'facts' },
			...fact('pid', String(s.last.pid)),
			...fact('CPU', format_percent(model.mean(s.cpu, Math.max(from, to - NOW_SECONDS), to))),
			...fact('up', format_age(s.last.up_ns)),
			...fact('restarts', String(Math.max(0, s.last.starts - 1))),
			...fact('beat', `${format_ns(s.last.beat_age_ns)} ago`),
			...fact('rescued', format_number(s.last.rescued)),
		),
	);
}

export function show_stages(element, model, [from, to]) {
	element.replaceChildren(...[...model.stages.values()].map((s) => stage_card(model, s, from, to)));
}

export function show_events(element, model, dated) {
	const items = model.events
		.toSorted((a, b) => a.t - b.t)
		.slice(-100)
		.reverse()
		.map((e) =>
			make(
				'li',
				{},
				make('time', {}, format_time(e.t, dated)),
				make('i', { class: 'dot', colour: `var(--${e.colour})` }),
				make('span', {}, e.text),
			),
		);
	element.replaceChildren(
		make('h3', {}, 'What happened'),
		items.length
			? make('ol', {}, ...items)
			: make('p', { class: 'nothing' }, 'Nothing.'),
	);
}

// What the kernel refused to send, by errno, since launch: each needs a different remedy.
export function show_errors(element, model) {
	const told = [...model.classes.values()].flatMap((c) =>
		Object.entries(c.last.send_errors ?? {}).map(([errno, n]) => `${c.name} ${errno} ${format_number(n)}`),
	);
	element.hidden = told.length === 0;
	element.textContent = told.length ? `Send errors since launch: ${told.join(', ')}` : '';
}
