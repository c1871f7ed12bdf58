// What the desk does by itself: it copies, and turns times into the reader's zone. Without this script it is the same desk.
"use strict";

(() => {
	const said = document.getElementById("said");
	const two = (n) => String(n).padStart(2, "0");

	for (const t of document.querySelectorAll("time")) {
		const at = new Date(t.dateTime);
		t.textContent = at.getFullYear() + "-" + two(at.getMonth() + 1) + "-" + two(at.getDate()) + " " +
			two(at.getHours()) + ":" + two(at.getMinutes()) + ":" + two(at.getSeconds());
	}
	const zone = document.querySelector("[data-zone]");
	const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
	if (zone && zone.textContent !== own) {
		zone.textContent = own + ", days to choose those of " + zone.textContent;
	}

	const tab = document.querySelector(".tabs [aria-current]");
	if (tab) { // on a phone the tabs scroll sideways
		tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
	}

	for (const button of document.querySelectorAll("[data-copy]")) {
		if (!navigator.clipboard) {
			break;
		}
		button.hidden = false;
		button.addEventListener("click", () => navigator.clipboard.writeText(button.dataset.copy).then(() => {
			button.classList.add("copied");
			said.textContent = "Copied.";
			setTimeout(() => {
				button.classList.remove("copied");
				said.textContent = "";
			}, 2000);
		}, () => {}));
	}
})();
