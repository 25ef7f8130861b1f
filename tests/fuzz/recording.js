/*
 * recording.js - any lines as a recording for the dashboard's page: a line is refused with a reason, or becomes a row in which
 * all columns stay as long as the time.
 *
 * usage: recording.js SECONDS SEED_DIRECTORY FOUND_PREFIX DASH     as t_fuzz.sh calls it; DASH: the program
 *
 * Inputs that reach code no other has reached are kept, and changed again: the engine says which blocks ran.
 */
'use strict';
const { spawn } = require('child_process');
const fs = require('fs');
const inspector = require('inspector');
const net = require('net');
const os = require('os');
const path = require('path');

const PAGE = path.join(__dirname, '../../run/dash/page');
const PURE = ['model.js', 'happened.js', 'format.js'];
const MOST_LINES = 12;
const ODD = [null, 'x', '', -1, 0, 1, 1e300, 2 ** 53, 2 ** 64, true, [], {}, [null], { x: null }, '__proto__', 'é'.repeat(150)];
const ODD_TEXT = ['"', ',', '{', '}', '[', ']', ':', '\\', '\0', '1e999', '-', 'null', '\ufeff', '"__proto__":'];

const [seconds, seed_directory, found, dash] = process.argv.slice(2);
let seed = Number(process.env.ONTIME_FUZZ_SEED ?? Date.now() % 2 ** 32);

function random(n) {
	seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
	return Math.floor((seed / 2 ** 32) * n);
}
const pick = (list) => list[random(list.length)];

function free_port() {
	return new Promise((resolve) => {
		const server = net.createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address();
			server.close(() => resolve(port));
		});
	});
}

// What a dashboard says of reasons and spans; the instance that it shows does not run.
async function fetch_counters() {
	const listen = `127.0.0.1:${await free_port()}`;
	const server = spawn(dash, ['-i', 'fuzz', '--listen', listen], { stdio: 'ignore' });
	try {
		for (let tries = 0; tries < 200; tries++) {
			const answer = await fetch(`http://${listen}/counters.js`).catch(() => null);
			if (answer?.ok) return await answer.text();
			await new Promise((resolve) => setTimeout(resolve, 50));
		}
		throw new Error(`${dash} does not answer on ${listen}`);
	} finally {
		server.kill();
	}
}

// The page's own modules, with what the server says of reasons and spans.
async function load_model() {
	const to = fs.mkdtempSync(path.join(os.tmpdir(), 'ontime-fuzz-'));
	for (const file of PURE) fs.copyFileSync(path.join(PAGE, file), path.join(to, file));
	fs.writeFileSync(path.join(to, 'counters.js'), await fetch_counters());
	fs.writeFileSync(path.join(to, 'package.json'), '{"type":"module"}');
	const { Model } = await import(path.join(to, 'model.js'));
	fs.rmSync(to, { recursive: true });
	return Model;
}

function paths_of(value, at = []) {
	const inner = typeof value === 'object' && value !== null ? Object.keys(value) : [];
	return [at, ...inner.flatMap((key) => paths_of(value[key], [...at, key]))];
}

// One part of a look becomes an odd one, another part's, a longer list, or nothing.
function change_look(look) {
	const paths = paths_of(look).slice(1);
	if (!paths.length) return pick(ODD);
	const at = (keys) => keys.reduce((value, key) => value?.[key], look);
	const keys = pick(paths);
	const holder = at(keys.slice(0, -1));
	const key = keys[keys.length - 1];
	const how = random(6);
	if (how === 0) Array.isArray(holder) ? holder.splice(key, 1) : delete holder[key];
	else if (how === 1) holder[key] = structuredClone(at(pick(paths)));
	else if (how === 2 && Array.isArray(holder)) holder.push(...Array.from({ length: random(80) }, (_, i) => ({ ...holder[0], class: `c${i}`, stage: `s${i}` })));
	else if (how === 3 && typeof holder[key] === 'number') holder[key] += (random(2) ? 1 : -1) * 10 ** random(20);
	else holder[key] = structuredClone(pick(ODD));
	return look;
}

function change_line(line) {
	if (random(8) === 0) {
		const at = random(line.length + 1);
		return line.slice(0, at) + pick(ODD_TEXT) + line.slice(at + random(4));
	}
	try {
		return JSON.stringify(change_look(JSON.parse(line))) ?? '';
	} catch {
		return line.slice(0, random(line.length + 1));
	}
}

function change(lines) {
	const changed = [...lines];
	for (let n = 1 + random(3); n > 0; n--) {
		const i = random(changed.length);
		const how = random(10);
		if (how === 0 && changed.length < MOST_LINES) changed.splice(i, 0, pick(changed));
		else if (how === 1 && changed.length > 1) changed.splice(i, 1);
		else changed[i] = change_line(changed[i]);
	}
	return changed;
}

function must(claim, what) {
	if (!claim) throw new TypeError(what);
}

function add(model, line) {
	let look;
	try {
		look = JSON.parse(line);
	} catch {
		return; // "no JSON", as the page says
	}
	try {
		model.add(look);
	} catch (e) {
		if (e.constructor !== Error || !e.message || e.message.length > 4000) throw e;
	}
}

function open_recording(Model, lines) {
	const model = new Model(8);
	for (const line of lines) {
		add(model, line);
		must(model.columns.every((values) => values.length === model.t.length), 'a column is longer or shorter than the time');
		must(model.t.every((t, i) => i === 0 || t > model.t[i - 1]), 'the time goes back');
		must(model.classes.size <= 64 && model.stages.size <= 64, 'more and more names');
		for (const c of model.classes.values()) {
			model.sum(c.in, 0, Infinity);
			model.mean(c.out, 0, Infinity);
			model.latest(c.ontime, 0, Infinity);
			model.extreme(c.p99, 0, Infinity, Math.max);
		}
	}
	for (const event of model.events) must(typeof event.text === 'string' && Number.isFinite(event.t), 'an event without text or time');
}

// The blocks that ran since the last call, as FILE:FROM.
function blocks_run(session) {
	let run;
	session.post('Profiler.takePreciseCoverage', (err, { result }) => {
		const ours = result.filter((script) => PURE.some((file) => script.url.endsWith(`/${file}`)));
		run = ours.flatMap((script) => script.functions.flatMap((f) => f.ranges.filter((r) => r.count > 0).map((r) => `${script.url}:${r.startOffset}:${r.endOffset}`)));
	});
	return run;
}

async function main() {
	const session = new inspector.Session();
	session.connect();
	session.post('Profiler.enable');
	session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
	const Model = await load_model();
	const corpus = fs.readdirSync(seed_directory).map((file) => fs.readFileSync(path.join(seed_directory, file), 'utf8').split('\n'));
	const reached = new Set();
	const until = Date.now() + 1000 * Number(seconds);
	let executions = 0;
	for (let lines = corpus[0]; Date.now() < until; executions++) {
		try {
			open_recording(Model, lines);
		} catch (e) {
			const file = `${found}crash-${executions}`;
			fs.writeFileSync(file, lines.join('\n'));
			console.log(`${e.stack}\nthe lines are in ${file}`);
			process.exitCode = 1;
			break;
		}
		const before = reached.size;
		for (const block of blocks_run(session)) reached.add(block);
		if (reached.size > before && executions >= corpus.length) corpus.push(lines);
		lines = executions + 1 < corpus.length ? corpus[executions + 1] : change(pick(corpus));
	}
	console.log(`stat::number_of_executed_units: ${executions}\n#${executions} DONE cov: ${reached.size} kept: ${corpus.length}`);
}

main();
