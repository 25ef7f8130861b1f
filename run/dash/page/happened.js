/*
 * happened.js - what happened between two looks, as events: {t, colour, text}; stage, class, is_launch where it is about
 * one.
 *
 * Rules:   pure. An event is put at the end of the list, or adds to the last one of its kind.
 */
import { format_limit, format_number } from './format.js';

const ROW_SECONDS = 10; // drops in the kernel within that time of each other are one event
const LIMITS = [
	['budget_ns', 'budget', (v) => (v === null ? 'none' : format_limit(v))],
	['ingress_to_edf', 'ingress_to_edf', String],
	['edf_to_egress', 'edf_to_egress', String],
];

// before: the last look there was, of whatever launch. was_absent: there was none just before.
export function note_look(events, t, look, before, was_absent) {
	const launched_at = t - (look.at_ns - look.created_at_ns) / 1e9;
	const launch = (text) => events.push({ t: launched_at, colour: 'soft', is_launch: true, text });
	if (!before) launch('the instance was launched');
	else if (before.created_at_ns !== look.created_at_ns) launch('the instance was launched anew');
	else if (was_absent) events.push({ t, colour: 'soft', text: 'the instance is back' });
	if (look.reloaded?.length)
		events.push({ t, colour: 'accent', text: `reload: ${look.reloaded.join('; ').replaceAll('->', '→')}` });
}

function note_kernel_drops(events, t, now, n) {
	const last = events.findLast((e) => e.kernel === now.class);
	const row = last && t - last.until <= ROW_SECONDS ? last : { t, colour: 'kernel-1', kernel: now.class, n: 0 };
	if (row !== last) events.push(row);
	row.n += n;
	row.until = t;
	row.text = `the kernel dropped ${format_number(row.n)} of ${now.class}: its socket buffer was full`;
}

const total = (counts) => Object.values(counts).reduce((sum, n) => sum + n, 0);

function note_firsts(events, t, now, before) {
	if (before.sent_late === 0 && now.sent_late > 0)
		events.push({ t, colour: 'bad', class: now.class, text: `first late packet of ${now.class}` });
	const reason = Object.keys(now.dropped).find((name) => name !== 'kernel' && now.dropped[name] > 0);
	const had = total(before.dropped) - (before.dropped.kernel ?? 0);
	if (had === 0 && reason)
		events.push({
			t,
			colour: 'bad',
			class: now.class,
			text: `first drop of ${now.class}: ${reason.replaceAll('_', ' ')}`,
		});
}

export function note_class(events, t, now, before, look) {
	const kernel = (now.dropped.kernel ?? 0) - (before.dropped.kernel ?? 0);
	if (kernel > 0) note_kernel_drops(events, t, now, kernel);
	note_firsts(events, t, now, before);
	if (look.reloaded) return; // which says it better
	for (const [key, name, text] of LIMITS)
		if (now[key] !== before[key] && before.ingress_to_edf > 0) // egress says its limits once it has started
			events.push({
				t,
				colour: 'accent',
				text: `reload: ${now.class}.${name}: ${text(before[key])} → ${text(now[key])}`,
			});
}

export function note_stage(events, t, now, before) {
	const say = (text) => events.push({ t, colour: `${now.stage}-1`, stage: now.stage, text });
	if (now.starts > before.starts)
		say(
			before.starts
				? `${now.stage} was restarted: pid ${before.pid} → ${now.pid}`
				: `${now.stage} started: pid ${now.pid}`,
		);
	else if (now.state !== before.state) say(`${now.stage} is ${now.state}`);
}
