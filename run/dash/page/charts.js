/*
 * charts.js - one chart over time: lines or a stack, a legend with values, marks where something happened.
 *
 * Rules:   uPlot draws; what is said here is how: axes with units, one cursor and one time range for all charts, colours
 *          from the style sheet (so that they follow light and dark), no animation.
 */
import { format_time } from './format.js';

const FONT =
	'12px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", "DejaVu Sans", sans-serif';
const HEIGHT = 208; // CSS pixels
const NEAR = 5; // to a mark, likewise

export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
export const tint = (colour, alpha) =>
	colour +
	Math.round(alpha * 255)
		.toString(16)
		.padStart(2, '0'); // of #rrggbb

export function make(tag, attributes = {}, ...children) {
	const e = document.createElement(tag);
	for (const [key, value] of Object.entries(attributes)) {
		if (key === 'colour') e.style.setProperty('--colour', value);
		else if (key === 'width' || key === 'left') e.style[key] = value;
		else e.setAttribute(key, value);
	}
	e.append(...children);
	return e;
}

// The first reason, or span, of a stage gets the first shade of its colour, and so on; after the last shade the first again.
export function shade_of(list, i) {
	const { by } = list[i];
	const before = list.slice(0, i).filter((other) => other.by === by).length;
	let shades = 1;
	while (css(`${by}-${shades + 1}`)) shades++;
	return `${by}-${1 + (before % shades)}`;
}

function time_ticks(u, splits, axis, space, step) {
	return splits.map((t) => {
		const d = new Date(t * 1000);
		if (step >= 86400) return `${d.getDate()}.${d.getMonth() + 1}.`;
		return d.toLocaleTimeString('en-GB', step < 60 ? {} : { hour: '2-digit', minute: '2-digit' });
	});
}

// Values with nothing on either side would be invisible as a line: they are dots.
function lonely_points(u, series) {
	const values = u.data[series];
	const [from, to] = u.series[0].idxs;
	const found = [];
	for (let i = from; i <= to; i++)
		if (
			values[i] !== null &&
			values[i] !== undefined &&
			(values[i - 1] ?? null) === null &&
			(values[i + 1] ?? null) === null
		)
			found.push(i);
	return found.length ? found : null;
}

// Nothing here nor beside: such a piece of a stack is left out, or its edge would hide what is below.
const is_flat = (values, i) => !values[i] && !values[i - 1] && !values[i + 1];

export class Chart {
	/*
	 * parent: the element to fill. spec:
	 *   title, series: [{label, help, group, colour, width, dash, alpha, fill, values()}], format(value), ticks(value),
	 *   log, range(): [min, max] of y, limit(): a dashed line at that y and a tinted ground above it, limit_words(y): what it is, in the head, stack, choice(element),
	 *   empty(): what to say when nothing is drawn, legend: 'grouped' | undefined, sums(series): more to say in the legend
	 * board: {data(): times, view(): [from, to], events(), zoom(from, to)}
	 */
	constructor(parent, spec, board) {
		Object.assign(this, { parent, spec, board });
		this.at = make('span', { class: 'at' });
		this.limit = make('span', { class: 'limit' });
		this.head = make('div', { class: 'head' }, make('h3', {}, spec.title), this.limit, this.at);
		if (spec.choice) this.head.insertBefore(spec.choice, this.at);
		this.plot = make('div', { class: 'plot' });
		this.nothing = make('div', { class: 'void' });
		this.legend = make('div', { class: `legend ${spec.legend ?? ''}` });
		parent.prepend(this.head, this.plot, this.legend);
		if (spec.above) this.head.after(spec.above);
		this.make_legend();
		this.start();
		new ResizeObserver(() => this.resize()).observe(this.plot);
	}

	make_legend() {
		const groups = new Map();
		this.values = this.spec.series.map((s) => {
			const key = make('canvas', { class: 'key', width: '18px' });
			const value = make('b');
			const entry = make('span', s.help ? { title: s.help } : {}, key, make('em', {}, s.label), value);
			let place = this.legend;
			if (s.group) {
				if (!groups.has(s.group)) {
					groups.set(
						s.group,
						make('div', { class: 'group', colour: `var(--${s.group_colour})` }, make('i', {}, s.group)),
					);
					this.legend.append(groups.get(s.group));
				}
				place = groups.get(s.group);
			}
			place.append(entry);
			return { entry, key, value };
		});
	}

	draw_key(canvas, s) {
		const ratio = devicePixelRatio || 1;
		canvas.width = 18 * ratio;
		canvas.height = 10 * ratio;
		const ctx = canvas.getContext('2d');
		ctx.scale(ratio, ratio);
		ctx.fillStyle = ctx.strokeStyle = css(s.colour);
		if (this.spec.stack) {
			ctx.fillRect(4, 0, 10, 10);
			return;
		}
		ctx.globalAlpha = s.alpha ?? 1;
		ctx.lineWidth = s.width ?? 1.75;
		ctx.setLineDash(s.dash ?? []);
		ctx.beginPath();
		ctx.moveTo(0, 5);
		ctx.lineTo(18, 5);
		ctx.stroke();
	}

	start() {
		const { spec } = this;
		this.u?.destroy();
		const axis = { stroke: css('soft'), font: FONT, ticks: { show: false }, grid: { stroke: css('grid'), width: 1 } };
		this.u = new uPlot(
			{
				width: Math.max(this.plot.clientWidth, 120),
				height: spec.height ?? HEIGHT,
				padding: [10, 22, 0, 0],
				legend: { show: false },
				// the cursor is everywhere, but a drag is the business of one chart
				cursor: {
					sync: { key: 'ontime', filters: { pub: (type) => type === 'mousemove' || type === 'mouseleave' } },
					drag: { x: true, y: false, setScale: false },
					points: { size: 6 },
				},
				scales: { x: { time: true }, y: { distr: spec.log ? 3 : 1, range: (u, min, max) => spec.range(min, max) } },
				axes: [
					{ ...axis, values: time_ticks, space: 74, size: 30 },
					{
						...axis,
						size: 62,
						space: spec.log ? 18 : 34,
						values: (u, splits) => splits.map((v) => (v === null ? '' : spec.ticks(v))),
					},
				],
				series: [{}, ...spec.series.map((s) => this.line(s))],
				bands: (spec.bands ?? []).map(([upper, lower, colour]) => ({
					series: [upper + 1, lower + 1],
					fill: tint(css(colour), 0.13),
				})),
				hooks: {
					drawClear: [() => this.draw_ground()],
					draw: [() => this.draw_marks()],
					setCursor: [() => this.show_values()],
					setSelect: [() => this.select()],
					ready: [(u) => u.over.addEventListener('dblclick', () => this.board.zoom(null))],
				},
			},
			this.arrays(),
			this.plot,
		);
		this.u.over.append(this.nothing);
		this.values.forEach((v, i) => this.draw_key(v.key, spec.series[i]));
		this.update();
	}

	line(s) {
		const colour = css(s.colour);
		return {
			stroke: this.spec.stack ? colour : tint(colour, s.alpha ?? 1),
			width: this.spec.stack ? 1 : (s.width ?? 1.75),
			dash: s.dash,
			fill: this.spec.stack ? colour : undefined,
			points: { show: false, size: 4, fill: colour, filter: lonely_points },
		};
	}

	// A stack is drawn from the back: the first series carries the sum of all, the last one its own values.
	arrays() {
		const t = this.board.times();
		const own = this.spec.series.map((s) => s.values());
		if (!this.spec.stack) return [t, ...own];
		const sums = own.map((values) => values.slice());
		for (let k = sums.length - 2; k >= 0; k--)
			for (let i = 0; i < t.length; i++) if (sums[k + 1][i] !== null) sums[k][i] += sums[k + 1][i];
		return [t, ...sums.map((values, k) => values.map((v, i) => (is_flat(own[k], i) ? null : v)))];
	}

	// What is folded up is drawn once it is unfolded.
	update() {
		this.is_stale = this.plot.clientWidth === 0;
		if (this.is_stale) return;
		const limit = this.spec.limit?.();
		this.limit.textContent = limit ? this.spec.limit_words(limit) : '';
		const [min, max] = this.board.view();
		this.u.batch(() => {
			this.u.setData(this.arrays(), false);
			this.u.setScale('x', { min, max });
		});
		this.show_values();
		const t = this.board.times();
		const blank = !this.spec.series.some((s) => {
			const values = s.values();
			return values.some((v, i) => v !== null && (!this.spec.stack || v > 0) && t[i] >= min && t[i] <= max);
		});
		this.nothing.textContent = blank ? this.spec.empty() : '';
	}

	resize() {
		const width = this.plot.clientWidth;
		if (width > 0 && width !== this.u.width) this.u.setSize({ width, height: this.u.height });
		if (width > 0 && this.is_stale) this.update();
	}

	select() {
		const { left, width } = this.u.select;
		if (width < 4) return;
		this.u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
		this.board.zoom(this.u.posToVal(left, 'x'), this.u.posToVal(left + width, 'x'));
	}

	// At the cursor, else the last there are.
	show_values() {
		if (!this.u) return;
		const t = this.board.times();
		const [from, to] = this.board.view();
		const i = this.u.cursor.idx;
		const hovers = i !== null && i !== undefined && this.u.cursor.left >= 0;
		this.at.textContent = hovers && t[i] !== undefined ? this.words_at(t[i]) : '';
		this.spec.series.forEach((s, k) => {
			const value = hovers ? (s.values()[i] ?? null) : this.board.latest(s.values(), from, to);
			const { entry, value: place } = this.values[k];
			// what has more to say says its rate only where the cursor asks, so that the words around stand still
			place.textContent = (hovers || !s.more ? this.spec.format(value) : '') + (s.more ? s.more(from, to) : '');
			entry.classList.toggle('none', Boolean(this.spec.stack) && !(s.seen?.(from, to) ?? value));
		});
	}

	// The time under the cursor, and what happened there.
	words_at(t) {
		const { left } = this.u.cursor;
		const near = this.board.events().filter((e) => Math.abs(this.u.valToPos(e.t, 'x') - left) < NEAR);
		return [...near.map((e) => e.text), format_time(t, this.board.dated())].join(' · ');
	}

	draw_ground() {
		const limit = this.spec.limit?.();
		if (!limit) return;
		const { ctx, bbox } = this.u;
		const y = Math.max(bbox.top, Math.min(this.u.valToPos(limit, 'y', true), bbox.top + bbox.height));
		ctx.save();
		ctx.fillStyle = tint(css('bad'), 0.055);
		ctx.fillRect(bbox.left, bbox.top, bbox.width, y - bbox.top);
		ctx.restore();
	}

	draw_marks() {
		const { ctx, bbox } = this.u;
		const ratio = devicePixelRatio || 1;
		const [from, to] = this.board.view();
		ctx.save();
		ctx.beginPath();
		ctx.rect(bbox.left, bbox.top - 10 * ratio, bbox.width + 8 * ratio, bbox.height + 10 * ratio); // what is new is at the right edge
		ctx.clip();
		ctx.lineWidth = ratio;
		for (const e of this.board.events()) if (e.t >= from && e.t <= to) this.draw_event(ctx, bbox, ratio, e);
		const limit = this.spec.limit?.();
		if (limit) this.draw_limit(ctx, bbox, ratio, limit);
		ctx.restore();
	}

	draw_event(ctx, bbox, ratio, e) {
		const x = Math.round(this.u.valToPos(e.t, 'x', true)) + 0.5;
		ctx.strokeStyle = ctx.fillStyle = css(e.colour);
		ctx.setLineDash([2 * ratio, 3 * ratio]);
		ctx.beginPath();
		ctx.moveTo(x, bbox.top);
		ctx.lineTo(x, bbox.top + bbox.height);
		ctx.stroke();
		ctx.beginPath();
		ctx.moveTo(x - 4 * ratio, bbox.top - 7 * ratio);
		ctx.lineTo(x + 4 * ratio, bbox.top - 7 * ratio);
		ctx.lineTo(x, bbox.top);
		ctx.fill();
	}

	// Its words are in the head: over the plot they would hide a line.
	draw_limit(ctx, bbox, ratio, limit) {
		const y = Math.round(this.u.valToPos(limit, 'y', true)) + 0.5;
		ctx.strokeStyle = css('bad');
		ctx.lineWidth = 1.5 * ratio;
		ctx.setLineDash([6 * ratio, 4 * ratio]);
		ctx.beginPath();
		ctx.moveTo(bbox.left, y);
		ctx.lineTo(bbox.left + bbox.width, y);
		ctx.stroke();
	}
}
