/*
 * state.js - what is shown: of which source, of which time; and what all charts ask for.
 *
 * Rules:   the one place that keeps it. Who changes it calls page.refresh().
 */
import { Model } from './model.js';

const LIVE_LOOKS = 3600; // an hour at one a second
const SHOWN_SECONDS = 30; // at least
const VALUE_SECONDS = 5; // a value that is older is none
export const NOW_SECONDS = 5; // what cards and the status call now

// Of a share in time, in percent: '', 'warn' or 'bad'.
export const mark_of_share = (share) => (share < 95 ? 'bad' : share < 99.9 ? 'warn' : '');

export const page = {
	live: new Model(LIVE_LOOKS),
	model: null,
	file: null,
	query: '', // for requests: `?instance=NAME`, `?shard=K`, both, or nothing
	shard: null, // the one of several that the address names; null: all together
	asked: null, // the instance that the address names; null: the one the dashboard was started for
	connected: false,
	refused: false, // the dashboard does not show that instance
	odd: '', // why the last live look could not be read
	seconds: 300,
	zoomed: null,
	paused_at: null,
	charts: [],
	shown_classes: '',
	drops_of: '',
	refresh: null, // set by page.js: show it all anew
};
page.model = page.live;

// What all charts ask: the times, the range shown, what happened.
export const board = {
	times: () => page.model.t,
	view() {
		const t = page.model.t;
		if (page.zoomed) return page.zoomed;
		const to = page.paused_at ?? t[t.length - 1] ?? 0;
		const begin = Math.min(t[0] ?? 0, to - SHOWN_SECONDS); // no wide void before the first look
		return [page.seconds ? Math.max(to - page.seconds, begin) : begin, to];
	},
	events: () => page.model.events,
	latest: (values, from, to) => page.model.latest(values, Math.max(from, to - VALUE_SECONDS), to),
	dated: () => Boolean(page.file),
	zoom(from, to) {
		page.zoomed = from === null ? null : [from, to];
		page.refresh();
	},
};

export const classes = () => [...page.model.classes.values()];
