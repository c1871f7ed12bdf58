package pay

// audit is a function that lists what is wrong with the page as it stands: text that cannot be read (WCAG 2.2, 1.4.3), targets too small
// for a thumb, and what runs out of the window.
const audit = `(() => {
	const wrong = [];
	const colour = (text) => {
		const m = text.match(/[\d.]+/g).map(Number);
		return { rgb: m.slice(0, 3), alpha: m.length > 3 ? m[3] : 1 };
	};
	const luminance = (rgb) => {
		const [r, g, b] = rgb.map((v) => v / 255).map((s) => s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const surface = (e) => {
		for (; e; e = e.parentElement) {
			const c = colour(getComputedStyle(e).backgroundColor);
			if (c.alpha === 1) { return c.rgb; }
			if (c.alpha !== 0) { wrong.push("half a background on " + e.className); }
		}
		return [255, 255, 255];
	};
	const seen = (e) => e.checkVisibility({ visibilityProperty: true }) && !e.closest(".aside, noscript, option");
	let texts = 0;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walk.nextNode(); n; n = walk.nextNode()) {
		const e = n.parentElement;
		if (!n.data.trim() || !seen(e)) { continue; }
		texts++;
		const style = getComputedStyle(e), px = parseFloat(style.fontSize);
		const a = luminance(colour(style.color).rgb), b = luminance(surface(e));
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		const large = px >= 24 || px >= 18.66 && Number(style.fontWeight) >= 600;
		if (ratio < (large ? 3 : 4.5)) { wrong.push("contrast " + ratio.toFixed(2) + " of " + n.data.trim()); }
		const r = document.createRange();
		r.selectNodeContents(n);
		for (const box of r.getClientRects()) {
			if (box.left < 0 || box.right > innerWidth) { wrong.push("out of the window: " + n.data.trim()); }
		}
	}
	if (texts === 0) { wrong.push("an empty page"); }
	for (const e of document.querySelectorAll("a, button, input, select")) {
		const box = e.getBoundingClientRect();
		if (seen(e) && (box.width < 44 || box.height < 44)) { wrong.push("target " + box.width + " by " + box.height + ": " + e.outerHTML); }
	}
	if (document.scrollingElement.scrollWidth > innerWidth) { wrong.push("scrolls sideways"); }
	return wrong;
})()`
