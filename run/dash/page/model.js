/*
 * model.js - what came over time: looks at an instance (run/look/json.h), live or recorded, as columns to draw.
 *
 * Rules:   pure: no page, no clock. Which reasons and spans there are, the server says (counters.js, run/dash/describe.c).
 *          Counts are cumulative in a look and become rates between two looks of the same launch;
 *          where nothing can be said (no packet, a gap, a new launch) a column has null. All columns are as long as `t`.
 *          A look is a stranger's: complaint_of() checks its whole shape once, and all else relies on it.
 */
import { PERCENTILES, REASONS, SPANS } from './counters.js';
import { note_class, note_look, note_stage } from './happened.js';

const REASON_NAMES = REASONS.map((r) => r.name);
const SPAN_NAMES = SPANS.map((s) => s.name);
const GAP_INTERVALS = 3; // a pause of more intervals than that is not bridged by a line
const GAP_SECONDS = 5;

const MOST_OF_A_KIND = 64; // classes, stages, errnos, causes in one look, and classes in all: four times what there can be
const MOST_CHARACTERS = 200; // of a name
const LAST_MS = 8.64e15; // of what a Date can be

/* What each part of a look must be. A test says whether a value will do; a shape is an object of such, `?` at its end: may be absent. */
const is_number = (v) => typeof v === 'number' && Math.abs(v) <= 2 ** 64; // which NaN is not
const is_count = (v) => is_number(v) && v >= 0;
const is_name = (v) => typeof v === 'string' && v.length > 0 && v.length <= MOST_CHARACTERS;
const is_text = (v) => typeof v === 'string';
const is_reason = (v) => is_text(v) && v !== '';
const is_date = (v) => is_count(v) && v <= LAST_MS;
const is_budget = (v) => v === null || is_count(v);
const is_flag = (v) => typeof v === 'boolean';
const is_object = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);
const all_counts = (names) => Object.fromEntries(names.map((name) => [name, is_count]));
const counts_by_name = { of_each: is_count };
const list_of = (shape, key) => ({ items: shape, key });

const CLASS_SHAPE = {
	class: is_name,
	budget_ns: is_budget,
	...all_counts(['received', 'sent', 'sent_bytes', 'sent_late', 'held', 'waiting_edf', 'waiting_egress']),
	...all_counts(['ingress_to_edf', 'edf_to_egress']),
	'marked?': is_count,
	'sessions?': is_count,
	'sessions_open?': is_count,
	'unexpected_reply?': is_count,
	'destinations?': list_of({ name: is_name, address: is_name, state: is_name, text: is_text, age_ns: is_count }),
	unbalanced: is_number,
	dropped: counts_by_name,
	'send_errors?': counts_by_name,
	late_span: all_counts(SPAN_NAMES),
	span_ns: all_counts(SPAN_NAMES),
	'recent?': { sent: is_count, ...all_counts(PERCENTILES) },
};
const STAGE_SHAPE = {
	stage: is_name,
	state: is_name,
	...all_counts(['pid', 'up_ns', 'starts', 'beat_age_ns', 'cpu_ns', 'rescued']),
};
const LOOK_SHAPE = {
	'instance?': is_text,
	at_unix_ms: is_date,
	at_ns: is_count,
	created_at_ns: is_count,
	'healthy?': is_flag,
	'causes?': list_of({ cause: is_name, text: is_text }),
	'others?': list_of(is_name),
	'policy?': is_name,
	'marks?': list_of(is_name),
	'reloaded?': list_of(is_text),
	classes: list_of(CLASS_SHAPE, 'class'),
	stages: list_of(STAGE_SHAPE, 'stage'),
};
const ABSENCE_SHAPE = { 'instance?': is_text, at_unix_ms: is_date, error: is_reason, 'others?': list_of(is_name) };

function complaint_of_list(list, { items, key }, path) {
	if (!Array.isArray(list)) return `${path} is no list`;
	if (list.length > MOST_OF_A_KIND) return `${path} has more than ${MOST_OF_A_KIND} entries`;
	if (key && new Set(list.map((item) => item?.[key])).size < list.length) return `${path} has a ${key} twice`;
	for (const [i, item] of list.entries()) {
		const complaint = complaint_of(item, items, `${path}[${i}]`);
		if (complaint) return complaint;
	}
	return null;
}

function complaint_of_each(value, test, path) {
	const names = Object.keys(value);
	if (names.length > MOST_OF_A_KIND) return `${path} has more than ${MOST_OF_A_KIND} entries`;
	const wrong = names.find((name) => !test(value[name]));
	return wrong === undefined ? null : `${path}.${wrong} is odd`;
}

// Why a value has not that shape, or null if it has.
function complaint_of(value, shape, path = '') {
	if (typeof shape === 'function') return shape(value) ? null : `${path} is ${value === undefined ? 'missing' : 'odd'}`;
	if (shape.items) return complaint_of_list(value, shape, path);
	if (!is_object(value)) return `${path || 'it'} is ${value === undefined ? 'missing' : 'no object'}`;
	if (shape.of_each) return complaint_of_each(value, shape.of_each, path);
	for (const [name, inner] of Object.entries(shape)) {
		const may_be_absent = name.endsWith('?');
		const key = may_be_absent ? name.slice(0, -1) : name;
		if (may_be_absent && value[key] === undefined) continue;
		const complaint = complaint_of(value[key], inner, path ? `${path}.${key}` : key);
		if (complaint) return complaint;
	}
	return null;
}

// Why this is no look, in a few words; null if it is one.
export const complaint_of_look = (look) =>
	complaint_of(look, is_object(look) && look.error !== undefined ? ABSENCE_SHAPE : LOOK_SHAPE);

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

const share = (part, whole) => (whole > 0 ? (100 * part) / whole : null); // egress says the limits once it has started

export class Model {
	constructor(limit) {
		this.limit = limit; // looks that are kept
		this.t = []; // Unix time, s; ascending
		this.columns = [];
		this.classes = new Map();
		this.stages = new Map();
		this.events = []; // happened.js
		this.last = null; // the last look, as it came
		this.error = null; // why there is no instance now
		this.instance = '';
		this.policy = '';
		this.others = []; // instances that run beside it
		this.n_looks = 0;
	}

	column() {
		const values = new Array(this.t.length).fill(null);
		this.columns.push(values);
		return values;
	}

	class_of(look) {
		let c = this.classes.get(look.class);
		if (!c) {
			c = { name: look.class, index: this.classes.size, drops: {}, drop_rates: {}, spans: {}, late_spans: {} };
			for (const key of [
				...PERCENTILES,
				'in',
				'out',
				'bits',
				'ontime',
				'ended',
				'sent',
				'in_time',
				'late',
				'late_rate',
				'marked_rate',
				'dropped_rate',
				'edf',
				'egress',
				'edf_pkts',
				'egress_pkts',
				'budget',
			])
				c[key] = this.column();
			for (const reason of REASON_NAMES) {
				c.drops[reason] = this.column();
				c.drop_rates[reason] = this.column();
			}
			for (const span of SPAN_NAMES) {
				c.spans[span] = this.column();
				c.late_spans[span] = this.column();
			}
			this.classes.set(look.class, c);
		}
		c.last = look;
		return c;
	}

	stage_of(look) {
		let s = this.stages.get(look.stage);
		if (!s) {
			s = { name: look.stage, cpu: this.column() };
			this.stages.set(look.stage, s);
		}
		return s;
	}

	row(t) {
		this.t.push(t);
		for (const values of this.columns) values.push(null);
	}

	complaint_of_names(look) {
		const classes = new Set([...this.classes.keys(), ...(look.classes ?? []).map((c) => c.class)]);
		const stages = new Set([...this.stages.keys(), ...(look.stages ?? []).map((s) => s.stage)]);
		return classes.size > MOST_OF_A_KIND || stages.size > MOST_OF_A_KIND ? 'more and more names' : null;
	}

	// One look. Returns false for one that is older than the last: it was seen before. Throws what is wrong with its shape.
	add(look) {
		const complaint = complaint_of_look(look) ?? this.complaint_of_names(look);
		if (complaint) throw new Error(complaint);
		const t = look.at_unix_ms / 1000;
		const n = this.t.length;
		if (n && t <= this.t[n - 1]) return false;
		if (n > 1 && t - this.t[n - 1] > Math.max(GAP_SECONDS, GAP_INTERVALS * (this.t[n - 1] - this.t[n - 2])))
			this.row(this.t[n - 1] + 0.001);
		this.row(t);
		this.n_looks++;
		this.instance = look.instance ?? this.instance;
		this.others = look.others ?? [];
		this.policy = look.policy ?? '';
		if (look.error) this.add_absence(t, look);
		else this.add_look(t, look);
		this.trim();
		return true;
	}

	add_absence(t, look) {
		if (this.last && !this.error) this.events.push({ t, colour: 'soft', text: 'the instance is gone' });
		this.error = look.error;
		this.last = null;
	}

	add_look(t, look) {
		const before = this.last ?? this.before_absence;
		const follows = this.last && this.last.created_at_ns === look.created_at_ns && look.at_ns > this.last.at_ns;
		note_look(this.events, t, look, before, Boolean(this.error));
		for (const now of look.classes)
			this.add_class(t, now, follows && this.last.classes.find((c) => c.class === now.class), look);
		for (const now of look.stages)
			this.add_stage(t, now, follows && this.last.stages.find((s) => s.stage === now.stage), look);
		this.error = null;
		this.last = look;
		this.before_absence = look;
	}

	add_class(t, now, before, look) {
		const c = this.class_of(now);
		const i = this.t.length - 1;
		c.budget[i] = now.budget_ns;
		c.edf_pkts[i] = now.waiting_edf;
		c.egress_pkts[i] = now.waiting_egress;
		c.edf[i] = share(now.waiting_edf, now.ingress_to_edf);
		c.egress[i] = share(now.waiting_egress, now.edf_to_egress);
		c.sessions = now.sessions ? `${now.sessions_open} / ${now.sessions}` : ''; // of a class with replies
		c.unexpected = now.unexpected_reply ?? 0; // since the launch
		c.destinations = now.destinations ?? []; // those that a scout looks after
		c.marks = (look.marks ?? []).includes(now.class); // ECN, as its configuration has it
		if (!before) return;
		note_class(this.events, t, now, before, look);
		const seconds = (look.at_ns - this.last.at_ns) / 1e9;
		const sent = now.sent - before.sent;
		const dropped = total(now.dropped) - total(before.dropped);
		c.in[i] = (now.received - before.received) / seconds;
		c.out[i] = sent / seconds;
		c.bits[i] = (8 * (now.sent_bytes - before.sent_bytes)) / seconds;
		c.sent[i] = sent;
		c.late[i] = now.sent_late - before.sent_late;
		c.late_rate[i] = c.late[i] / seconds;
		c.dropped_rate[i] = dropped / seconds;
		c.marked_rate[i] = ((now.marked ?? 0) - (before.marked ?? 0)) / seconds;
		c.in_time[i] = sent - c.late[i];
		c.ended[i] = sent + dropped;
		c.ontime[i] = share(c.in_time[i], c.ended[i]);
		for (const reason of REASON_NAMES) {
			c.drops[reason][i] = (now.dropped[reason] ?? 0) - (before.dropped[reason] ?? 0);
			c.drop_rates[reason][i] = c.drops[reason][i] / seconds;
		}
		for (const span of SPAN_NAMES) {
			c.spans[span][i] = now.span_ns[span] - before.span_ns[span];
			c.late_spans[span][i] = now.late_span[span] - before.late_span[span];
		}
		if (now.recent?.sent > 0) for (const p of PERCENTILES) c[p][i] = now.recent[p];
	}

	add_stage(t, now, before, look) {
		const s = this.stage_of(now);
		const i = this.t.length - 1;
		s.last = now;
		if (!before) return;
		note_stage(this.events, t, now, before);
		const seconds = (look.at_ns - this.last.at_ns) / 1e9;
		const base = now.starts === before.starts && now.cpu_ns >= before.cpu_ns ? before.cpu_ns : 0; // a new process starts from 0
		s.cpu[i] = (100 * (now.cpu_ns - base)) / 1e9 / seconds;
	}

	trim() {
		const extra = this.t.length - this.limit;
		if (extra < this.limit / 10) return; // not one by one
		this.t.splice(0, extra);
		for (const values of this.columns) values.splice(0, extra);
		this.events = this.events.filter((e) => e.t >= this.t[0] || e.is_launch);
	}

	// The sum of a column from time `from` to `to`; nulls count nothing.
	sum(values, from, to) {
		let sum = 0;
		for (let i = values.length - 1; i >= 0 && this.t[i] >= from; i--) if (this.t[i] <= to) sum += values[i] ?? 0;
		return sum;
	}

	// The last value of a column up to time `to`, not older than `from`; null if there is none.
	latest(values, from, to) {
		for (let i = values.length - 1; i >= 0 && this.t[i] >= from; i--)
			if (this.t[i] <= to && values[i] !== null) return values[i];
		return null;
	}

	extreme(values, from, to, pick) {
		let found = null;
		for (let i = values.length - 1; i >= 0 && this.t[i] >= from; i--)
			if (this.t[i] <= to && values[i] !== null) found = found === null ? values[i] : pick(found, values[i]);
		return found;
	}

	mean(values, from, to) {
		let sum = 0;
		let n = 0;
		for (let i = values.length - 1; i >= 0 && this.t[i] >= from; i--)
			if (this.t[i] <= to && values[i] !== null) {
				sum += values[i];
				n++;
			}
		return n ? sum / n : null;
	}
}
