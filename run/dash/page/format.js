/*
 * format.js - quantities as text.
 *
 * Rules:   pure. A value that moves has always as many digits, so that what is beside it stands still; limits and ticks
 *          have no zeros at their end. A share is cut, never rounded up: 100 % says that not one packet was missed.
 */
const NONE = '–';
const is_none = (x) => x === null || x === undefined;

// Three digits that matter: 7.40, 10.0, 100.
export const steady = (x) => x.toFixed(x >= 99.95 ? 0 : x >= 9.995 ? 1 : 2);

// The same without zeros at the end: 7.4, 10, 100.
export const short = (x) => {
	const text = steady(x);
	return text.includes('.') ? text.replace(/\.?0+$/, '') : text;
};

const TIMES = [
	['s', 1e9],
	['ms', 1e6],
	['µs', 1e3],
];

export function format_ns(ns, digits = steady) {
	if (is_none(ns)) return NONE;
	for (const [unit, size] of TIMES) if (ns >= 0.9995 * size) return `${digits(ns / size)} ${unit}`;
	return `${Math.round(ns)} ns`;
}

export const format_limit = (ns) => format_ns(ns, short);

const SIZES = [
	['G', 1e9],
	['M', 1e6],
	['k', 1e3],
];

function scaled(x, digits) {
	for (const [unit, size] of SIZES) if (x >= 0.9995 * size) return digits(x / size) + unit;
	return digits(x);
}

// A count: all digits up to 9999.
export function format_number(x) {
	if (is_none(x)) return NONE;
	if (x >= 9999.5) return scaled(x, steady);
	return Number.isInteger(x) || x >= 99.95 ? x.toFixed(0) : steady(x);
}

// On an axis.
export const format_tick = (x) => (x >= 9999.5 ? scaled(x, short) : short(x));

export function format_rate(x) {
	if (is_none(x)) return NONE;
	if (x === 0) return '0/s';
	return `${x >= 9999.5 ? scaled(x, steady) : steady(x)}/s`;
}

export function format_percent(x) {
	if (is_none(x)) return NONE;
	return x >= 100 ? '100 %' : `${(Math.floor(x * 100) / 100).toFixed(2)} %`;
}

// For a sentence, which is not broken before the sign: 93 %, 99.9 %.
export function brief_percent(x) {
	const digits = x >= 100 ? '100' : x >= 99 ? (Math.floor(x * 10) / 10).toFixed(1) : x >= 1 ? Math.floor(x) : 'below\u00a01';
	return `${digits}\u00a0%`;
}

export function format_time(t, with_date) {
	const d = new Date(t * 1000);
	const time = d.toLocaleTimeString('en-GB');
	return with_date
		? `${d.getFullYear()}-${String(d.getMonth() + 1).padStart(2, '0')}-${String(d.getDate()).padStart(2, '0')} ${time}`
		: time;
}

export function format_age(ns) {
	const s = ns / 1e9;
	if (s < 120) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
	if (s < 7200) return `${Math.round(s / 60)} min`;
	return s < 172800 ? `${(s / 3600).toFixed(1)} h` : `${Math.round(s / 86400)} days`;
}
