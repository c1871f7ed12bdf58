// What the page does by itself: it copies, counts, and swaps in what the server writes. Without this script it is the same page with a
// reload button.
"use strict";

(() => {
	const order = document.getElementById("order");
	const said = document.getElementById("said");
	const notice = document.getElementById("notice");
	const lang = "lang=" + document.documentElement.lang;
	const parts = document.querySelectorAll("[data-part]");
	const sent = new Map(); // the markup of each part as the server sent it
	let version = Number(order.dataset.version);
	let last = order.dataset.last === "true";
	let expires = Number(order.dataset.expires);
	let ahead = Number(order.dataset.now) - Date.now(); // the server's clock, seen from ours

	// Copying.

	function copyOld(text) { // in-app browsers without a clipboard of their own
		const box = document.createElement("textarea");
		box.value = text;
		box.className = "aside";
		document.body.append(box);
		box.select();
		const done = document.execCommand("copy");
		box.remove();
		return done ? Promise.resolve() : Promise.reject(new Error("no clipboard"));
	}

	function copy(text) {
		return navigator.clipboard ? navigator.clipboard.writeText(text).catch(() => copyOld(text)) : copyOld(text);
	}

	function confirm(button) {
		const word = button.querySelector("span");
		const before = button.dataset.word || (button.dataset.word = word.textContent);
		clearTimeout(Number(button.dataset.timer));
		word.textContent = button.dataset.done;
		button.classList.add("done");
		said.textContent = button.getAttribute("aria-label") + ": " + button.dataset.done;
		button.dataset.timer = setTimeout(() => {
			word.textContent = before;
			button.classList.remove("done");
			said.textContent = "";
		}, 2000);
	}

	document.addEventListener("click", (e) => {
		const button = e.target.closest("[data-copy]");
		if (button) {
			copy(button.dataset.copy).then(() => { button.focus(); confirm(button); }, () => {});
		}
	});

	function wake(where) {
		for (const b of where.querySelectorAll("[data-copy]")) {
			b.hidden = false;
		}
	}

	// Counting.

	function count() {
		const shown = order.querySelector(".left");
		if (!expires || !shown) {
			return;
		}
		const left = Math.max(0, Math.ceil((expires - Date.now() - ahead) / 1000));
		shown.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
		order.classList.toggle("soon", left < 60);
		if (left === 0 && !order.classList.contains("over")) {
			order.classList.add("over");
			say(order.dataset.over);
			ask();
		}
	}

	function say(text) {
		notice.textContent = text;
		notice.hidden = !text;
	}

	// Changing.

	function markup(html) {
		const t = document.createElement("template");
		t.innerHTML = html;
		return t;
	}

	function take(news) {
		if (news.version < version) {
			return;
		}
		version = news.version;
		last = news.last;
		expires = news.expires;
		ahead = news.now - Date.now();
		misses = 0;
		order.classList.remove("over", "soon");
		say("");
		const focused = document.activeElement;
		for (const part of parts) {
			const fresh = markup(news.parts[part.dataset.part]);
			if (fresh.innerHTML === sent.get(part)) {
				continue;
			}
			sent.set(part, fresh.innerHTML);
			if (order.contains(part)) {
				part.style.minHeight = part.offsetHeight + "px"; // what stands below stays where it is
			}
			const held = part.contains(focused);
			part.replaceChildren(fresh.content);
			wake(part);
			if (held) {
				(document.getElementById(focused.id) || document.getElementById("state")).focus({ preventScroll: true });
			}
		}
		order.dataset.state = news.state;
		document.title = news.title;
		document.getElementById("tab").href = news.icon;
		count();
		if (last) {
			stop();
		}
	}

	addEventListener("resize", () => {
		for (const part of parts) {
			part.style.minHeight = "";
		}
	});

	// Hearing: a stream; where it is refused or silent, a question every few seconds, and the stream again later.

	const every = 4000, again = 30000, silence = 40000;
	let source, asking, watch, misses = 0;

	function ask() {
		return fetch(order.dataset.at + "/state?" + lang, { cache: "no-store", signal: AbortSignal.timeout(10000) })
			.then((r) => r.ok ? r.json() : Promise.reject(new Error(r.status)))
			.then(take)
			.catch(() => {
				if (++misses > 1) {
					say(order.classList.contains("over") ? order.dataset.over : order.dataset.lost);
				}
				poll();
			});
	}

	function poll() {
		if (!asking && !last) {
			asking = setInterval(ask, every);
			ask();
			setTimeout(listen, again);
		}
	}

	function heard() {
		clearInterval(asking);
		asking = undefined;
		clearTimeout(watch);
		watch = setTimeout(fall, silence);
	}

	function fall() {
		source.close();
		poll();
	}

	function listen() {
		if (last) {
			return;
		}
		if (source) {
			source.close();
		}
		clearInterval(asking);
		asking = undefined;
		source = new EventSource(order.dataset.at + "/events?" + lang + "&seen=" + version);
		source.addEventListener("open", heard);
		source.addEventListener("beat", heard);
		source.addEventListener("change", (e) => { heard(); take(JSON.parse(e.data)); });
		source.addEventListener("error", fall);
	}

	function stop() {
		clearTimeout(watch);
		clearInterval(asking);
		asking = undefined;
		source?.close();
	}

	for (const part of parts) {
		sent.set(part, part.innerHTML);
	}
	wake(document);
	listen();
	setInterval(count, 250);
	count();
	document.addEventListener("visibilitychange", () => { // back from the bank's app
		if (!document.hidden && !last) {
			ask();
		}
	});
})();
