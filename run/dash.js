/*
 * dash.js - the page: where looks come from (live or a file), which time is shown, and which charts there are.
 *
 * Rules:   nothing is fetched but /events of the server the page came from; a recording is read in the browser and stays
 *          there. A live page keeps an hour, a recording as much as is in it.
 */
import { Chart, format_number, format_ns, format_percent, format_time, make, short } from './dash_charts.js';
import { Model, REASONS, STAGES } from './dash_model.js';
import { class_colour, show_cards, show_events, show_meters, show_spans, show_stages } from './dash_panels.js';

const LIVE_LOOKS = 3600;
const SHOWN_SECONDS = 30; // at least
const RECORDED_LOOKS = 200000; // two days at one a second: what a browser still draws
const reason_colour = { kernel: 'kernel', oversize: 'ingress-2', ingress_full: 'ingress-1', evicted: 'edf-3', late: 'edf-1',
  poison: 'edf-4', egress_full: 'edf-2', late_egress: 'egress-1', send_error: 'egress-2' };
const group_colour = { kernel: 'kernel', ingress: 'ingress-1', edf: 'edf-1', egress: 'egress-1' };
const $ = (id) => document.getElementById(id);

const page = {
  live: new Model(LIVE_LOOKS), model: null, file: null, connected: false, seconds: 300, zoomed: null, paused_at: null, charts: [],
  shown_classes: '', drops_of: '', source: null,
};
page.model = page.live;

// What all charts ask: the times, the range shown, what happened.
const board = {
  times: () => page.model.t,
  view() {
    const t = page.model.t;
    if (page.zoomed) return page.zoomed;
    const to = page.paused_at ?? t[t.length - 1] ?? 0;
    const begin = Math.min(t[0] ?? 0, to - SHOWN_SECONDS); // no wide void before the first look
    return [page.seconds ? Math.max(to - page.seconds, begin) : begin, to];
  },
  events: () => page.model.events,
  latest: (values, from, to) => page.model.latest(values, Math.max(from, to - 5), to),
  dated: () => Boolean(page.file),
  zoom(from, to) {
    page.zoomed = from === null ? null : [from, to];
    refresh();
  },
};

const classes = () => [...page.model.classes.values()];
const round_up = (x) => {
  const size = 10 ** Math.floor(Math.log10(x));
  return [1, 2, 2.5, 5, 10].find((k) => k * size >= x) * size;
};

// From zero, which itself is to be seen as a line, to a round number.
const from_zero = (max, least, spare = 1.05) => {
  const top = round_up(Math.max(max ?? 0, least) * spare);
  return [-0.015 * top, top];
};

// The same powers of ten for all classes, so that they compare: from the fastest median to the slowest, budgets included.
function latency_range() {
  const [from, to] = board.view();
  let min = Infinity;
  let max = 0;
  for (const c of classes()) {
    const budget = page.model.latest(c.budget, from, to);
    min = Math.min(min, page.model.extreme(c.p50, from, to, Math.min) ?? Infinity, budget ?? Infinity);
    max = Math.max(max, page.model.extreme(c.max, from, to, Math.max) ?? 0, budget ?? 0);
  }
  if (!max) return [1e4, 1e8];
  return [10 ** Math.floor(Math.log10(Math.max(min, 1e3) * 0.98)), 10 ** Math.ceil(Math.log10(max * 1.02))];
}

function latency_chart(c) {
  const colour = class_colour(c);
  const dashed = { colour, width: 1.25, alpha: 0.75 };
  const article = make('article', { 'data-class': c.name });
  $('latency').append(article);
  return new Chart(article, {
    title: c.name, log: true, format: format_ns, ticks: format_ns, range: () => page.latency_range ??= latency_range(),
    limit: () => page.model.latest(c.budget, ...board.view()),
    bands: [[2, 0, colour]],
    series: [
      { label: 'p50', colour, width: 1.25, alpha: 0.8, values: () => c.p50 },
      { label: 'p95', ...dashed, dash: [8, 3], values: () => c.p95 },
      { label: 'p99', colour, width: 2.25, values: () => c.p99 },
      { label: 'p99.9', ...dashed, dash: [3, 3], values: () => c.p999 },
      { label: 'max', ...dashed, alpha: 0.6, width: 1, dash: [1, 2], values: () => c.max },
    ],
    empty: () => `No packet of class ${c.name} was sent in the time shown.`,
  }, board);
}

function ontime_range(min) {
  const spare = 100 - (min ?? 100);
  const low = [99, 95, 90, 50].find((x) => spare <= 100 - x) ?? 0;
  return [low, 100 + (100 - low) * 0.04];
}

const ontime_chart = () => new Chart($('ontime'), {
  title: 'On time, of all that were sent or dropped', format: format_percent, ticks: (v) => (v > 100 ? '' : `${short(v)} %`), range: ontime_range,
  series: classes().map((c) => ({ label: c.name, colour: class_colour(c), width: 2, values: () => c.ontime })),
  empty: () => 'Nothing was sent or dropped in the time shown.',
}, board);

const throughput_chart = () => new Chart($('throughput'), {
  title: 'Packets per second, in and out', format: (v) => (v === null ? '–' : `${format_number(v)}/s`), ticks: format_number,
  range: (min, max) => from_zero(max, 1),
  series: classes().flatMap((c) => [
    { label: `${c.name} in`, colour: class_colour(c), width: 1.5, dash: [4, 3], alpha: 0.7, values: () => c.in },
    { label: 'out', colour: class_colour(c), width: 2, values: () => c.out }]),
  empty: () => 'No looks in the time shown.',
}, board);

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

const dropped_in = (reason, from, to) => classes().filter((c) => !page.drops_of || c.name === page.drops_of)
  .reduce((sum, c) => sum + page.model.sum(c.drops[reason], from, to), 0);

function drops_chart() {
  const choice = make('select', { 'aria-label': 'drops of which class' }, make('option', { value: '' }, 'all classes'),
    ...classes().map((c) => make('option', { value: c.name }, c.name)));
  if (!classes().some((c) => c.name === page.drops_of)) page.drops_of = '';
  choice.value = page.drops_of;
  choice.addEventListener('change', () => {
    page.drops_of = choice.value;
    refresh();
  });
  return new Chart($('drops'), {
    title: 'Drops per second, by who and why', stack: true, choice, legend: 'grouped', ticks: format_number,
    format: (v) => (v ? `${format_number(v)}/s` : ''), range: (min, max) => [0, round_up(Math.max(max ?? 0, 1) * 1.05)],
    series: Object.entries(REASONS).map(([reason, stage]) => ({
      label: reason === 'kernel' ? 'buffer full' : reason.replaceAll('_', ' '), group: stage, group_colour: group_colour[stage],
      colour: reason_colour[reason], values: () => drop_rates(reason), seen: (from, to) => dropped_in(reason, from, to),
      more: (from, to) => {
        const n = dropped_in(reason, from, to);
        return n ? ` ${format_number(n)} in all` : '';
      },
    })),
    empty: () => 'Nothing was dropped in the time shown.',
  }, board);
}

const lanes_chart = () => new Chart($('lanes'), {
  title: 'Lane occupancy, of each limit', format: (v) => (v === null ? '–' : `${short(v)} %`), ticks: (v) => `${v} %`,
  range: (min, max) => ((max ?? 0) > 50 ? [-1.5, 104] : from_zero(max, 5)), above: $('meters'), height: 150,
  series: classes().flatMap((c) => [
    { label: `${c.name} for edf`, colour: class_colour(c), width: 2, values: () => c.edf },
    { label: 'for egress', colour: class_colour(c), width: 1.5, dash: [4, 3], alpha: 0.7, values: () => c.egress }]),
  empty: () => 'No looks in the time shown.',
}, board);

const cpu_chart = () => new Chart($('cpu'), {
  title: 'CPU per stage, of one CPU', format: format_percent, ticks: (v) => `${short(v)} %`,
  range: (min, max) => from_zero(max, 1),
  series: STAGES.map((s) => ({ label: s, colour: `${s}-1`, width: 2, values: () => page.model.stages.get(s)?.cpu ?? [] })),
  empty: () => 'No looks in the time shown.',
}, board);

// All charts anew: other classes, another source, or other colours.
function build() {
  const meters = $('meters');
  for (const chart of page.charts) chart.u.destroy();
  for (const id of ['latency', 'ontime', 'throughput', 'drops', 'lanes', 'cpu']) $(id).replaceChildren();
  $('lanes').append(meters);
  page.shown_classes = classes().map((c) => c.name).join();
  $('latency').style.setProperty('--columns', classes().length === 3 || classes().length > 4 ? 3 : 2);
  page.charts = [...classes().map(latency_chart), ontime_chart(), throughput_chart(), drops_chart(), lanes_chart(), cpu_chart()];
}

function status_words() {
  const { model } = page;
  if (page.file) return ['', `recording · ${model.n_looks} looks`];
  if (!page.connected) return ['bad', model.t.length ? 'dashboard lost, retrying' : 'connecting'];
  if (model.error || !model.last) return ['bad', 'not running'];
  const ill = model.last.stages.find((s) => s.state !== 'ready');
  if (ill) return ['bad', `${ill.stage} is ${ill.state}`];
  const off = model.last.classes.find((c) => c.unbalanced !== 0);
  if (off) return ['bad', `${off.class} not balanced: ${off.unbalanced}`];
  return ['good', 'running, balanced'];
}

function show_status() {
  const { model } = page;
  const [mark, text] = status_words();
  $('status').className = `pill ${mark}`;
  $('status').textContent = text;
  $('instance').textContent = model.instance;
  document.title = mark === 'bad' ? `⚠ ${text} – ontime` : `ontime${model.instance ? ` / ${model.instance}` : ''}`;
  $('live').hidden = !page.file;
  $('pause').hidden = Boolean(page.file);
  const notice = page.file ? page.file : model.error && model.classes.size ? model.error : !page.connected && model.t.length
    ? 'The dashboard does not answer: is build/dash running? What is shown is what came before.' : '';
  $('notice').textContent = notice;
  $('notice').className = page.file ? '' : 'bad';
  $('notice').hidden = !notice;
  const empty = !model.classes.size;
  $('main').hidden = empty;
  $('empty').hidden = !empty || (!model.error && page.connected && !page.file);
  $('empty-title').textContent = page.file ? 'Nothing in this file' : page.connected ? 'No instance to show' : 'Connecting to the dashboard';
  $('empty-why').textContent = model.error ?? (page.connected ? '' : 'If this stays: is build/dash running?');
}

function refresh() {
  const { model } = page;
  page.latency_range = null;
  page.drop_rates = null;
  show_status();
  if (!model.classes.size) return;
  if (page.shown_classes !== classes().map((c) => c.name).join()) build();
  for (const chart of page.charts) chart.update();
  const view = board.view();
  show_cards($('cards'), model, view);
  show_meters($('meters'), model, view);
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

function connect() {
  page.source = new EventSource('events');
  page.source.onopen = () => {
    page.connected = true;
    refresh_soon();
  };
  page.source.onerror = () => {
    page.connected = false;
    refresh_soon();
  };
  page.source.onmessage = (message) => {
    page.live.add(JSON.parse(message.data));
    if (!page.file) refresh_soon();
  };
}

function show_model(model, file) {
  page.model = model;
  page.file = file;
  page.zoomed = page.paused_at = null;
  page.shown_classes = '';
  set_seconds(file ? 0 : 300);
}

// A file is read in pieces and kept as columns only, so that one of many hours fits.
async function open_file(file) {
  const model = new Model(RECORDED_LOOKS);
  let bad = 0;
  let rest = '';
  const take = (line) => {
    if (!line.trim()) return;
    try {
      const look = JSON.parse(line);
      if (!look.classes && !look.error) throw new Error('not a look');
      model.add(look);
    } catch {
      bad++;
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
  const range = t.length ? `${format_time(t[0], true)} to ${format_time(t[t.length - 1], true)}` : 'no look in it: it should be made by build/stat --record';
  show_model(model, `${file.name}: ${range}${bad ? `; ${bad} ${bad === 1 ? 'line' : 'lines'} could not be read` : ''}`);
}

function set_seconds(seconds) {
  page.seconds = seconds;
  page.zoomed = null;
  for (const b of $('windows').children) b.setAttribute('aria-pressed', String(Number(b.dataset.seconds) === seconds));
  refresh();
}

function set_paused(paused) {
  page.paused_at = paused ? page.model.t[page.model.t.length - 1] ?? null : null;
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
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
    page.shown_classes = '';
    refresh();
  });
}

listen();
set_seconds(300);
connect();
window.ontime = page; // for the browser's console, and for tests/t_dash.sh
