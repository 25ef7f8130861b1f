/* recordings.js - the page opens what `stat --record` wrote, and what only looks like it. */
'use strict';
const fs = require('fs');
const { spawn } = require('child_process');
const { odd_looks } = require('./odd.js');
const { rig, sleep, demand, load } = require('./rig.js');

const { build, instance, dir } = rig;
const RATE = 900; // packets/s

// As `stat --record` writes it.
async function record() {
	const file = `${dir}/recording.jsonl`;
	const recorder = spawn(`${build}/stat`, ['-i', instance, '--record', file], { stdio: 'ignore' });
	await load(RATE, 5);
	await sleep(1500);
	recorder.kill('SIGTERM');
	await new Promise((resolve) => recorder.on('exit', resolve));
	return file;
}

async function opens_a_recording(page) {
	const file = await record();
	const lines = fs.readFileSync(file, 'utf8').trim().split('\n');
	const last = JSON.parse(lines.pop());
	last.classes[0].send_errors = { EMSGSIZE: 7 }; // that takes more than loopback to come about, as the next one
	last.classes[0].copies = [
		{ to: '10.0.0.5:7777', sent: 5, errors: 0, skipped: { full: 0, rate: 0 }, unbalanced: 0 },
		{ to: '10.0.0.6:7777', sent: 2, errors: 1, skipped: { full: 2, rate: 0 }, unbalanced: 0 },
	];
	last.classes[0].dropped.kernel += 5;
	last.classes[1].budget_ns = 2e7; // a recording tells of a reload by what it changed
	fs.writeFileSync(file, [...lines, JSON.stringify(last), 'half a li'].join('\n'));
	const looks = lines.length + 1;
	await page.set_file('#file', file);
	await page.until(
		`document.getElementById('status').textContent === 'recording · ${looks} looks'`,
		`${looks} looks are shown`,
	);
	const notice = await page.evaluate(`document.getElementById('notice').textContent`);
	demand(/^recording\.jsonl: \d{4}-\d\d-\d\d .* to .*; 1 line could not be read \(line \d+: no JSON\)$/.test(notice), notice);
	await page.until(
		`painted('#latency [data-class=high]', 'class-0') > 40 && painted('#throughput', 'class-2') > 40`,
		'the recording is drawn',
	);
	demand(
		(await page.evaluate(`document.getElementById('errors').innerText`)) ===
			'Send errors since launch: high EMSGSIZE 7',
		'no errno is named',
	);
	const copies = await page.evaluate(`document.getElementById('copies').innerText`);
	demand(
		copies === 'high to 10.0.0.5:7777: 5 copies\nhigh to 10.0.0.6:7777: 2 copies, 1 errors, 2 skipped (full)',
		`of copies it is said: ${copies}`,
	);
	const told = await page.evaluate(`document.getElementById('events').innerText`);
	for (const words of ['the kernel dropped 5 of high: its socket buffer was full', 'reload: medium.budget: 10 ms → 20 ms'])
		demand(told.includes(words), `${words}: ${told}`);
	await page.screenshot(`${build}/dash-recording.png`);
	await page.evaluate(`document.getElementById('live').click()`);
	await page.until(`document.getElementById('state').textContent === 'running, balanced'`, 'back to live');
	await page.evaluate(`(() => {
    const data = new DataTransfer();
    data.items.add(new File(['nothing\\n'], 'wrong.txt'));
    dispatchEvent(new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }));
  })()`);
	await page.until(
		`!document.getElementById('empty').hidden && document.getElementById('notice').textContent.includes('wrong.txt')`,
		'a dropped file that is none says so',
	);
	await page.evaluate(`document.getElementById('live').click()`);
}

// Each part of a look replaced by each odd value, every one of them between two good looks.
async function skips_odd_looks(page) {
	const good = JSON.parse(fs.readFileSync(`${dir}/recording.jsonl`, 'utf8').split('\n')[3]);
	good.causes = [{ cause: 'stuck', text: 'class high' }];
	Object.assign(good, { policy: 'edf', marks: ['high'], others: ['voice'], reloaded: ['policy: edf -> guarded'] });
	const odd = odd_looks(good);
	const lines = odd.map((look, i) => ({ look, at: good.at_unix_ms + 1000 * (2 * i + 1) }));
	const file = `${dir}/odd.jsonl`;
	fs.writeFileSync(
		file,
		lines
			.flatMap(({ look, at }) => [
				JSON.stringify(typeof look === 'object' && look && look.at_unix_ms ? { ...look, at_unix_ms: at } : look),
				JSON.stringify({ ...good, at_unix_ms: at + 1000, at_ns: good.at_ns + (at - good.at_unix_ms) * 1e6 }),
			])
			.join('\n'),
	);
	const before = page.complaints.length;
	await page.set_file('#file', file);
	await page.until(`document.getElementById('notice').textContent.startsWith('odd.jsonl: ')`, 'the file is shown');
	const notice = await page.evaluate(`document.getElementById('notice').textContent`);
	const skipped = Number(/; (\d+) lines could not be read \(line 1: it is no object; line 3: /.exec(notice)?.[1]);
	demand(skipped > odd.length / 2 && skipped < odd.length, `of ${odd.length} odd ones: ${notice}`);
	const looks = await page.evaluate(`ontime.model.n_looks`);
	demand(looks === 2 * odd.length - skipped, `${looks} looks, of ${2 * odd.length} with ${skipped} skipped`);
	await page.until(`document.querySelectorAll('.card[data-class=high]').length === 1`, 'the good ones are drawn');
	demand(page.complaints.length === before, page.complaints.slice(before, before + 3).join('\n'));
	await page.evaluate(`document.getElementById('live').click()`);
	return `${skipped} of ${odd.length} skipped, with the reason`;
}

module.exports = { opens_a_recording, skips_odd_looks };
