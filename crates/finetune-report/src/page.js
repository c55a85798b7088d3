"use strict";
// The row of a figure's table that is nearest to the pointer.
for (const figure of document.querySelectorAll("figure.pointed")) {
  const svg = figure.querySelector("svg");
  const [left, , right] = svg.dataset.edges.split(" ").map(Number);
  const [low, high] = svg.dataset.x.split(" ").map(Number);
  const cells = (row) => [...row.cells].map((cell) => cell.textContent);
  const head = cells(figure.querySelector("thead tr"));
  const rows = [...figure.querySelectorAll("tbody tr")].map(cells);
  if (!rows.length) continue;
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  figure.append(tip);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * svg.viewBox.baseVal.width;
    const x = low + ((at - left) / (right - left)) * (high - low);
    const far = (row) => Math.abs(Number(row[0]) - x);
    const row = rows.reduce((best, other) => (far(other) < far(best) ? other : best));
    tip.textContent = head.map((name, index) => (row[index] ? `${name} ${row[index]}` : "")).filter(Boolean).join("\n");
    tip.hidden = false;
    const room = figure.getBoundingClientRect();
    const place = Math.min(event.clientX - room.left + 12, room.width - tip.offsetWidth);
    tip.style.transform = `translate(${Math.max(place, 0)}px, ${event.clientY - room.top + 12}px)`;
  });
  svg.addEventListener("pointerleave", () => { tip.hidden = true; });
}
// Rows that have the words searched for.
for (const label of document.querySelectorAll(".search")) {
  label.hidden = false;
  const rows = label.parentElement.querySelectorAll("tbody tr");
  label.querySelector("input").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
  });
}
