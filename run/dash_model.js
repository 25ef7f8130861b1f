/*
 * dash_model.js - what came over time: looks at an instance (stat_json.h), live or recorded, as columns to draw.
 *
 * Rules:   pure: no page, no clock. Counts are cumulative in a look and become rates between two looks of the same launch;
 *          where nothing can be said (no packet, a gap, a new launch) a column has null. All columns are as long as `t`.
 */
export const REASONS = {
	kernel: 'kernel',
	oversize: 'ingress',
	ingress_full: 'ingress',
	evicted: 'edf',
	late: 'edf',
	poison: 'edf',
	egress_full: 'edf',
	late_egress: 'egress',
	send_error: 'egress',
};
export const SPANS = ['socket', 'ingress', 'edf_wait', 'edf_work', 'egress_wait', 'egress_send'];
export const PERCENTILES = ['p50', 'p95', 'p99', 'p999', 'max'];
export const STAGES = ['ingress', 'edf', 'egress'];
const GAP_INTERVALS = 3; // a pause of more intervals than that is not bridged by a line
const GAP_SECONDS = 5;

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

const share = (part, whole) => (whole > 0 ? (100 * part) / whole : null); // egress says the limits once it has started

export class Model {
	constructor(limit) {
		this.limit = limit; // looks that are kept
		this.t = []; // Unix time, s; ascending
		this.columns = [];
		this.classes = new Map();
		this.stages = new Map();
		this.events = []; // {t, stage, text}
		this.last = null; // the last look, as it came
		this.error = null; // why there is no instance now
		this.instance = '';
		this.runs_since = 0;
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
				'dropped_rate',
				'edf',
				'egress',
				'edf_pkts',
				'egress_pkts',
				'budget',
			])
				c[key] = this.column();
			for (const reason of Object.keys(REASONS)) {
				c.drops[reason] = this.column();
				c.drop_rates[reason] = this.column();
			}
			for (const span of SPANS) {
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

	// One look. Returns false for one that is older than the last: it was seen before.
	add(look) {
		const t = look.at_unix_ms / 1000;
		const n = this.t.length;
		if (!Number.isFinite(t) || (n && t <= this.t[n - 1])) return false;
		if (n > 1 && t - this.t[n - 1] > Math.max(GAP_SECONDS, GAP_INTERVALS * (this.t[n - 1] - this.t[n - 2])))
			this.row(this.t[n - 1] + 0.001);
		this.row(t);
		this.n_looks++;
		this.instance = look.instance ?? this.instance;
		if (look.error) this.add_absence(t, look);
		else this.add_look(t, look);
		this.trim();
		return true;
	}

	add_absence(t, look) {
		if (this.last && !this.error) this.events.push({ t, text: 'the instance is gone' });
		this.error = look.error;
		this.last = null;
	}

	add_look(t, look) {
		const before = this.last ?? this.before_absence;
		const follows = this.last && this.last.created_at_ns === look.created_at_ns && look.at_ns > this.last.at_ns;
		if (before && before.created_at_ns !== look.created_at_ns)
			this.events.push({ t, text: 'the instance was launched anew' });
		else if (this.error) this.events.push({ t, text: before ? 'the instance is back' : 'the instance was launched' });
		for (const now of look.classes)
			this.add_class(now, follows && this.last.classes.find((c) => c.class === now.class), look, this.last);
		for (const now of look.stages)
			this.add_stage(t, now, follows && this.last.stages.find((s) => s.stage === now.stage), look);
		this.error = null;
		this.last = look;
		this.before_absence = look;
	}

	add_class(now, before, look, last) {
		const c = this.class_of(now);
		const i = this.t.length - 1;
		c.budget[i] = now.budget_ns;
		c.edf_pkts[i] = now.waiting_edf;
		c.egress_pkts[i] = now.waiting_egress;
		c.edf[i] = share(now.waiting_edf, now.ingress_to_edf);
		c.egress[i] = share(now.waiting_egress, now.edf_to_egress);
		if (!before) return;
		const seconds = (look.at_ns - last.at_ns) / 1e9;
		const sent = now.sent - before.sent;
		const dropped = total(now.dropped) - total(before.dropped);
		c.in[i] = (now.received - before.received) / seconds;
		c.out[i] = sent / seconds;
		c.bits[i] = (8 * (now.sent_bytes - before.sent_bytes)) / seconds;
		c.sent[i] = sent;
		c.late[i] = now.sent_late - before.sent_late;
		c.late_rate[i] = c.late[i] / seconds;
		c.dropped_rate[i] = dropped / seconds;
		c.in_time[i] = sent - c.late[i];
		c.ended[i] = sent + dropped;
		c.ontime[i] = share(c.in_time[i], c.ended[i]);
		for (const reason of Object.keys(REASONS)) {
			c.drops[reason][i] = (now.dropped[reason] ?? 0) - (before.dropped[reason] ?? 0);
			c.drop_rates[reason][i] = c.drops[reason][i] / seconds;
		}
		for (const span of SPANS) {
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
		if (now.starts > before.starts)
			this.events.push({
				t,
				stage: now.stage,
				text: before.starts
					? `${now.stage} was restarted: pid ${before.pid} → ${now.pid}`
					: `${now.stage} started: pid ${now.pid}`,
			});
		else if (now.state !== before.state)
			this.events.push({ t, stage: now.stage, text: `${now.stage} is ${now.state}` });
		const seconds = (look.at_ns - this.last.at_ns) / 1e9;
		const base = now.starts === before.starts && now.cpu_ns >= before.cpu_ns ? before.cpu_ns : 0; // a new process starts from 0
		s.cpu[i] = (100 * (now.cpu_ns - base)) / 1e9 / seconds;
	}

	trim() {
		const extra = this.t.length - this.limit;
		if (extra < this.limit / 10) return; // not one by one
		this.t.splice(0, extra);
		for (const values of this.columns) values.splice(0, extra);
		this.events = this.events.filter((e) => e.t >= this.t[0]);
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
