/*
 * status.js - what is said of the whole: how the instance is and how its traffic does, what is wrong, who it is, and
 * what to do when there is none.
 *
 * Rules:   the account and the stages come first: a count that is off is worse than a late packet. Of the traffic, the
 *          last NOW_SECONDS count, in words of at most NAMED classes, the worst first.
 */
import { make } from './charts.js';
import { HOST, SHOWS_OTHERS, VERSION } from './counters.js';
import { brief_percent } from './format.js';
import { mark_of_share, NOW_SECONDS, page } from './state.js';

const $ = (id) => document.getElementById(id);
const NAMED = 3;

// How one class does now: null without traffic, or what share was in time, and in words what was not.
function class_service(model, c, from, to) {
	const ended = model.sum(c.ended, from, to);
	if (!ended) return null;
	const dropped = ended - model.sum(c.sent, from, to);
	const share = (100 * model.sum(c.in_time, from, to)) / ended;
	const words =
		2 * dropped >= ended - model.sum(c.in_time, from, to)
			? `${c.name} drops ${brief_percent((100 * dropped) / ended)}`
			: `${c.name} ${brief_percent(share)} in time`;
	return { share, words };
}

function service_words(model) {
	const to = model.t[model.t.length - 1] ?? 0;
	const all = [...model.classes.values()].map((c) => class_service(model, c, to - NOW_SECONDS, to)).filter(Boolean);
	if (!all.length) return ['good', 'no traffic'];
	const worst = Math.min(...all.map((s) => s.share));
	const ill = all.filter((s) => mark_of_share(s.share)).sort((a, b) => a.share - b.share);
	if (!ill.length) return ['good', worst >= 100 ? 'all in time' : `${brief_percent(worst)} in time`];
	const more = ill.length > NAMED ? [`${ill.length - NAMED} more`] : [];
	return [
		mark_of_share(worst),
		ill
			.slice(0, NAMED)
			.map((s) => s.words)
			.concat(more)
			.join('; '),
	];
}

// [mark, how the instance is, how its traffic does].
function status_words() {
	const { model } = page;
	if (page.file) return ['', `recording · ${model.n_looks} looks`, ''];
	if (page.refused) return ['bad', 'not running', ''];
	if (!page.connected) return ['bad', model.t.length ? 'dashboard lost, retrying' : 'connecting', ''];
	if (page.odd) return ['bad', 'cannot be read', ''];
	if (model.error || !model.last) return ['bad', 'not running', ''];
	const { causes = [] } = model.last;
	if (causes.length > 1) return ['bad', `${causes[0].text} (+${causes.length - 1})`, ''];
	if (causes.length) return ['bad', causes[0].text, ''];
	const off = model.last.classes.find((c) => c.unbalanced !== 0);
	if (off) return ['bad', `${off.class} not balanced: ${off.unbalanced}`, ''];
	const [mark, service] = service_words(model);
	const ill = model.last.stages.find((s) => s.state !== 'ready');
	return ill ? ['bad', `${ill.stage} is ${ill.state}`, service] : [mark, 'running, balanced', service];
}

// What is said above all else; '' when there is nothing to say.
function notice_words() {
	const { model } = page;
	if (page.file) return page.file;
	if (page.odd) return `The dashboard sends what this page cannot read (${page.odd}): reload the page.`;
	if (model.error) return model.classes.size ? model.error : '';
	if (!page.connected && model.t.length)
		return 'The dashboard does not answer: is build/dash running? What is shown is what came before.';
	return (model.last?.causes ?? []).map((c) => c.text).join('; ');
}

export const instance_name = () => page.model.instance || (page.file ? '' : (page.asked ?? ''));

// Which other instances run, and how to see them.
function show_others() {
	const others = page.file ? [] : page.live.others;
	const key = [instance_name(), ...others].join();
	$('others').hidden = others.length === 0;
	if ($('others').dataset.key === key) return; // a link must not go away under a finger
	$('others').dataset.key = key;
	const link = (name) => make('a', { href: `?instance=${name}` }, name);
	const command = (name) => make('span', {}, `${name}: `, make('code', {}, `build/dash -i ${name}`));
	$('others').replaceChildren('also running:', ...others.map(SHOWS_OTHERS ? link : command));
}

function show_empty() {
	const { model } = page;
	const name = instance_name();
	const is_default = !name || name === 'default';
	const file = is_default ? '' : name === 'stress' ? ' -c run/stress.conf' : ' -c FILE';
	$('empty').hidden =
		model.classes.size > 0 || (!model.error && page.connected && !page.file && !page.refused);
	$('empty-title').textContent = page.file
		? 'Nothing in this file'
		: page.connected || page.refused
			? `Instance '${name || 'default'}' is not running`
			: 'Connecting to the dashboard';
	const error = (model.error ?? '').replace(/^attach segment \S+ instance '\S+' is not running; .*$/, '');
	$('empty-why').textContent = error || (page.connected || page.refused ? '' : 'If this stays: is build/dash running?');
	$('home').hidden = page.asked === null;
	$('launch-command').textContent = `run/launch.sh${file}`;
	$('launch-file').textContent = file === ' -c FILE' ? `, where FILE says instance = ${name},` : '';
	$('load-command').textContent = `build/load${file} --rate 20000 --seconds 60`;
	$('record-command').textContent = `build/stat${is_default ? '' : ` -i ${name}`} --record FILE`;
}

export function show_status() {
	const { model } = page;
	const [mark, state, service] = status_words();
	const name = instance_name();
	$('status').className = `pill ${mark}`;
	$('state').textContent = state;
	$('service').textContent = service ? `; ${service}` : '';
	$('instance').textContent = page.shard === null || page.file ? name : `${name}, shard ${page.shard}`;
	$('about').textContent = page.file
		? ''
		: [HOST, model.policy && `policy ${model.policy}`, `dash ${VERSION}`].filter(Boolean).join(' · ');
	const plain = `ontime${name ? ` / ${name}` : ''}`;
	document.title = mark !== 'bad' ? plain : service ? `⚠ ${plain}` : `⚠ ${state} – ontime`;
	$('live').hidden = !page.file;
	$('pause').hidden = Boolean(page.file);
	const notice = notice_words();
	$('notice').textContent = notice;
	$('notice').className = page.file ? '' : 'bad';
	$('notice').hidden = !notice;
	$('main').hidden = !model.classes.size;
	show_others();
	show_empty();
}
