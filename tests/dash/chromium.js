/*
 * chromium.js - a real Chromium, headless, driven through its DevTools protocol over a pipe: no package is needed but node.
 *
 * Rules:   every wait has a deadline. What the page logs, throws and requests is kept, for the test to judge.
 */
'use strict';
const fs = require('fs');
const os = require('os');
const path = require('path');
const { spawn } = require('child_process');

const PATHS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const ANSWER_MS = 20000;

function find_browser() {
	return PATHS.find((p) => fs.existsSync(p));
}

class Browser {
	static async start() {
		const b = new Browser();
		b.profile = fs.mkdtempSync(path.join(os.tmpdir(), 'ontime-chromium-'));
		b.process = spawn(
			find_browser(),
			[
				'--headless',
				'--no-sandbox',
				'--disable-gpu',
				'--disable-quic',
				'--no-first-run',
				'--disable-background-networking',
				'--disable-component-update',
				'--disable-sync',
				'--disable-dev-shm-usage',
				'--hide-scrollbars',
				'--force-color-profile=srgb',
				`--user-data-dir=${b.profile}`,
				'--remote-debugging-pipe',
				'about:blank',
			],
			{ stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] },
		);
		b.next_id = 1;
		b.waiting = new Map();
		b.listeners = [];
		b.rest = '';
		b.process.stdio[4].setEncoding('utf8').on('data', (text) => b.take(text));
		b.process.stdio[3].on('error', () => {});
		b.ended = new Promise((resolve) => b.process.once('exit', resolve));
		return b;
	}

	take(text) {
		const messages = (this.rest + text).split('\0');
		this.rest = messages.pop();
		for (const m of messages.map((one) => JSON.parse(one))) {
			const waiter = this.waiting.get(m.id);
			if (!waiter) {
				this.listeners.forEach((listen) => listen(m));
				continue;
			}
			this.waiting.delete(m.id);
			if (m.error) waiter.reject(new Error(`${waiter.method}: ${m.error.message}`));
			else waiter.resolve(m.result);
		}
	}

	send(method, params = {}, sessionId = undefined) {
		const id = this.next_id++;
		this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(new Error(`${method}: no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
			this.waiting.set(id, {
				method,
				resolve: (r) => (clearTimeout(timer), resolve(r)),
				reject: (e) => (clearTimeout(timer), reject(e)),
			});
		});
	}

	async page(url, { width, height, phone = false, dark = false }) {
		const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
		const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
		const p = new Page(this, sessionId, targetId);
		for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'DOM']) await p.send(`${domain}.enable`);
		await p.set_size(width, height, phone);
		await p.set_dark(dark);
		await p.send('Page.navigate', { url });
		return p;
	}

	async stop() {
		await this.send('Browser.close').catch(() => this.process.kill('SIGKILL'));
		await this.ended;
		fs.rmSync(this.profile, { recursive: true, force: true, maxRetries: 5 });
	}
}

class Page {
	constructor(browser, session, target) {
		Object.assign(this, { browser, session, target, requests: [], complaints: [] });
		browser.listeners.push((m) => m.sessionId === session && this.note(m));
	}

	note({ method, params }) {
		if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
		else if (method === 'Runtime.exceptionThrown')
			this.complaints.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
		else if (method === 'Runtime.consoleAPICalled' && ['error', 'warning', 'assert'].includes(params.type))
			this.complaints.push(params.args.map((a) => a.value ?? a.description).join(' '));
		else if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level))
			this.complaints.push(`${params.entry.text} ${params.entry.url ?? ''}`);
	}

	send(method, params) {
		return this.browser.send(method, params, this.session);
	}

	set_dark(dark) {
		return this.send('Emulation.setEmulatedMedia', {
			features: [{ name: 'prefers-color-scheme', value: dark ? 'dark' : 'light' }],
		});
	}

	async evaluate(code) {
		const { result, exceptionDetails } = await this.send('Runtime.evaluate', {
			expression: code,
			returnByValue: true,
			awaitPromise: true,
		});
		if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
		return result.value;
	}

	// Until the expression is true; the error says what it was last.
	async until(code, what, seconds = 15) {
		const deadline = Date.now() + seconds * 1000;
		let last;
		do {
			last = await this.evaluate(code).catch((e) => e.message);
			if (last === true) return;
			await new Promise((resolve) => setTimeout(resolve, 100));
		} while (Date.now() < deadline);
		throw new Error(`not within ${seconds} s: ${what}; last: ${JSON.stringify(last)}`);
	}

	async set_file(selector, file) {
		const { root } = await this.send('DOM.getDocument');
		const { nodeId } = await this.send('DOM.querySelector', { nodeId: root.nodeId, selector });
		await this.send('DOM.setFileInputFiles', { nodeId, files: [file] });
	}

	// The top of the page, so many CSS pixels of it; 0: all.
	async screenshot(file, height = 0) {
		const { cssContentSize: all } = await this.send('Page.getLayoutMetrics');
		const clip = { x: 0, y: 0, width: all.width, height: height ? Math.min(height, all.height) : all.height, scale: 1 };
		const { data } = await this.send('Page.captureScreenshot', { format: 'png', captureBeyondViewport: true, clip });
		fs.writeFileSync(file, Buffer.from(data, 'base64'));
	}

	// Press at one place, move, release at another; both in CSS pixels. clicks: 2 for a double click in place.
	async drag(from, to, clicks = 1) {
		const mouse = (type, [x, y], clickCount = 0) =>
			this.send('Input.dispatchMouseEvent', {
				type,
				x,
				y,
				button: type === 'mouseMoved' ? 'none' : 'left',
				clickCount,
			});
		await mouse('mouseMoved', from);
		for (let k = 1; k <= clicks; k++) {
			await mouse('mousePressed', from, k);
			if (to)
				await this.send('Input.dispatchMouseEvent', {
					type: 'mouseMoved',
					x: to[0],
					y: to[1],
					button: 'left',
					buttons: 1,
				});
			await mouse('mouseReleased', to ?? from, k);
		}
	}

	hover(at) {
		return this.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x: at[0], y: at[1], button: 'none' });
	}

	set_size(width, height, phone = false) {
		return this.send('Emulation.setDeviceMetricsOverride', {
			width,
			height,
			deviceScaleFactor: phone ? 2 : 1,
			mobile: phone,
		});
	}

	close() {
		return this.browser.send('Target.closeTarget', { targetId: this.target });
	}
}

module.exports = { Browser, find_browser };
