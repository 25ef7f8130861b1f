/*
 * page.js - the page: where looks come from, live or a file, and what the visitor asks for.
 *
 * Rules:   nothing is fetched but /events of the server the page came from; a recording is read in the browser and stays
 *          there. A live page keeps an hour, a recording as much as is in it.
 */
import { format_time } from './format.js';
import { Model } from './model.js';
import { show_cards, show_copies, show_errors, show_events, show_meters, show_spans, show_stages } from './panels.js';
import { board, classes, page } from './state.js';
import { show_status } from './status.js';
import { make_charts } from './views.js';

const RECORDED_LOOKS = 200000; // two days at one a second: what a browser still draws
const BAD_SHOWN = 3; // lines of a file that could not be read: so many are told, with the reason
const RETRY_MS = 2000;
const narrow = matchMedia('(max-width: 640px)');
const $ = (id) => document.getElementById(id);

// All charts anew: other classes, another source, or other colours.
function build() {
	const kept = [$('meters'), $('errors'), $('copies')]; // in two of the elements, beside the chart
	for (const chart of page.charts) chart.u.destroy();
	for (const id of ['latency', 'ontime', 'throughput', 'drops', 'lanes', 'cpu']) $(id).replaceChildren();
	$('lanes').append(kept[0]);
	$('drops').append(kept[1], kept[2]);
	page.shown_classes = classes()
		.map((c) => c.name)
		.join();
	page.charts = make_charts();
}

function refresh() {
	const { model } = page;
	page.drop_rates = null;
	show_status();
	if (!model.classes.size) return;
	if (
		page.shown_classes !==
		classes()
			.map((c) => c.name)
			.join()
	)
		build();
	for (const chart of page.charts) chart.update();
	const view = board.view();
	show_cards($('cards'), model, view);
	show_meters($('meters'), model, view);
	show_errors($('errors'), model);
	show_copies($('copies'), model);
	show_spans($('spans'), model, view);
	show_stages($('stages'), model, view);
	show_events($('events'), model, board.dated());
}

// At most once a frame, however many looks came: after a reload the server sends ten minutes of them at once.
function refresh_soon() {
	if (page.refreshing) return;
	page.refreshing = true;
	setTimeout(() => {
		page.refreshing = false;
		refresh();
	}, 50);
}

// An answer that was no stream: there is no such instance, or too many pages are open.
async function retry() {
	setTimeout(connect, RETRY_MS);
	const answer = await fetch(`ready${page.query}`).catch(() => null);
	page.refused = answer?.status === 404;
	refresh_soon();
}

function connect() {
	const source = new EventSource(`events${page.query}`);
	source.onopen = () => {
		page.connected = true;
		page.refused = false;
		refresh_soon();
	};
	source.onerror = () => {
		page.connected = false;
		if (source.readyState === EventSource.CLOSED) retry(); // the browser does not
		refresh_soon();
	};
	source.onmessage = (message) => {
		try {
			page.live.add(JSON.parse(message.data));
			page.odd = '';
		} catch (e) {
			page.odd = e.message; // a page that is older, or newer, than its server
		}
		if (!page.file) refresh_soon();
	};
}

// Of which instance: what the address says, and then all that is asked of the server says it too.
function take_address() {
	const asked = new URLSearchParams(location.search);
	page.asked = asked.get('instance');
	page.shard = asked.get('shard');
	const of = ['instance', 'shard'].filter((key) => asked.has(key)).map((key) => `${key}=${encodeURIComponent(asked.get(key))}`);
	page.query = of.length ? `?${of.join('&')}` : '';
	for (const a of document.querySelectorAll('footer a')) a.href = a.getAttribute('href') + page.query;
}

// On a phone the classes are enough to begin with: the other sections are a line each, until they are unfolded.
function fold_sections(is_narrow) {
	for (const section of document.querySelectorAll('details')) section.open = !is_narrow;
}

function show_model(model, file) {
	page.model = model;
	page.file = file;
	page.zoomed = page.paused_at = null;
	page.shown_classes = '';
	set_seconds(file ? 0 : 300);
}

function parse_line(line) {
	try {
		return JSON.parse(line);
	} catch {
		throw new Error('no JSON'); // the engine's own words quote the line
	}
}

// A file is read in pieces and kept as columns only, so that one of many hours fits.
async function open_file(file) {
	const model = new Model(RECORDED_LOOKS);
	const bad = []; // why, of the first lines that could not be read
	let n_bad = 0;
	let n_lines = 0;
	let rest = '';
	const take = (line) => {
		n_lines++;
		if (!line.trim()) return;
		try {
			model.add(parse_line(line));
		} catch (e) {
			n_bad++;
			if (bad.length < BAD_SHOWN) bad.push(`line ${n_lines}: ${e.message}`);
		}
	};
	const reader = file.stream().pipeThrough(new TextDecoderStream()).getReader();
	for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
		const lines = (rest + value).split('\n');
		rest = lines.pop();
		lines.forEach(take);
	}
	take(rest);
	const t = model.t;
	const range = t.length
		? `${format_time(t[0], true)} to ${format_time(t[t.length - 1], true)}`
		: 'no look in it: it should be made by build/stat --record';
	const skipped = `; ${n_bad} ${n_bad === 1 ? 'line' : 'lines'} could not be read (${bad.join('; ')}${n_bad > bad.length ? '; ...' : ''})`;
	show_model(model, `${file.name}: ${range}${n_bad ? skipped : ''}`);
}

function set_seconds(seconds) {
	page.seconds = seconds;
	page.zoomed = null;
	for (const b of $('windows').children) b.setAttribute('aria-pressed', String(Number(b.dataset.seconds) === seconds));
	refresh();
}

function set_paused(paused) {
	page.paused_at = paused ? (page.model.t[page.model.t.length - 1] ?? null) : null;
	$('pause').setAttribute('aria-pressed', String(paused));
	$('pause').textContent = paused ? 'Resume' : 'Pause';
	refresh();
}

function listen() {
	for (const b of $('windows').children) b.addEventListener('click', () => set_seconds(Number(b.dataset.seconds)));
	$('pause').addEventListener('click', () => set_paused(page.paused_at === null));
	$('live').addEventListener('click', () => show_model(page.live, null));
	$('file').addEventListener('change', (e) => {
		if (e.target.files[0]) open_file(e.target.files[0]);
		e.target.value = '';
	});
	addEventListener('dragover', (e) => {
		e.preventDefault();
		$('drop').hidden = false;
	});
	addEventListener('dragleave', (e) => {
		if (!e.relatedTarget) $('drop').hidden = true;
	});
	addEventListener('drop', (e) => {
		e.preventDefault();
		$('drop').hidden = true;
		if (e.dataTransfer.files[0]) open_file(e.dataTransfer.files[0]);
	});
	narrow.addEventListener('change', () => fold_sections(narrow.matches));
	matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
		page.shown_classes = '';
		refresh();
	});
}

page.refresh = refresh;
take_address();
fold_sections(narrow.matches);
listen();
set_seconds(300);
connect();
window.ontime = page; // for the browser's console, and for tests/dash/t_dash.sh
