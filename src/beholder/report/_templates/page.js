"use strict";
const so_many = (n, what) => `${n} ${what}${n === 1 ? "" : "s"}`;
for (const button of document.querySelectorAll(".copy")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const pre = button.parentElement.querySelector("pre");
    try {
      await navigator.clipboard.writeText(pre.textContent);
    } catch {
      getSelection().selectAllChildren(pre);
      document.execCommand("copy");
    }
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}
// Tables sort by a column: rising, at the next press falling; what is empty stays below.
for (const table of document.querySelectorAll(".scroll table")) {
  const body = table.tBodies[0];
  if (body.rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const side = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", side === 1 ? "ascending" : "descending");
      const read = (row) => row.cells[column].textContent.trim();
      const number = (text) => (text === "" ? NaN : Number(text.replaceAll(",", "").replace("−", "-")));
      const compare = (a, b) => {
        if (a === "" || b === "") return (a === "") - (b === "");
        const [x, y] = [number(a), number(b)];
        return side * (Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y);
      };
      body.replaceChildren(...[...body.rows].sort((a, b) => compare(read(a), read(b))));
    });
  });
}
// One stop for the Tab key in each scope; arrows move within it and on to its neighbours.
const roam = (root, scopes) => {
  const parts = scopes.map((scope) => [...scope.querySelectorAll(".card")]);
  for (const cards of parts) cards.forEach((card, index) => { card.tabIndex = index === 0 ? 0 : -1; });
  root.addEventListener("keydown", (event) => {
    const own = parts.findIndex((cards) => cards.includes(document.activeElement));
    if (own < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
    const open = (index) => scopes[index] && scopes[index].closest("[hidden]") === null;
    const beside = (side) => { let at = own + side; while (at >= 0 && at < scopes.length && !open(at)) at += side; return parts[at] ?? []; };
    const cards = [...beside(-1), ...parts[own], ...beside(1)].filter((card) => card.closest("[hidden]") === null);
    const at = cards.indexOf(document.activeElement);
    const here = cards[at].getBoundingClientRect();
    const nearest = (side) => cards
      .map((card) => [card, card.getBoundingClientRect()])
      .filter(([, box]) => side * (box.top - here.top) > here.height / 2)
      .sort(([, a], [, b]) => side * (a.top - b.top) || Math.abs(a.left - here.left) - Math.abs(b.left - here.left))[0]?.[0];
    const shown = parts.filter((_, index) => open(index)).flat().filter((card) => card.closest("[hidden]") === null);
    const steps = { ArrowRight: () => cards[at + 1], ArrowLeft: () => cards[at - 1], ArrowDown: () => nearest(1), ArrowUp: () => nearest(-1), Home: () => shown[0], End: () => shown.at(-1) };
    const next = steps[event.key]?.();
    if (!next) return;
    event.preventDefault();
    const mine = parts.find((of) => of.includes(next));
    mine.forEach((card) => { card.tabIndex = card === next ? 0 : -1; });
    next.focus();
  });
};
for (const gallery of document.querySelectorAll(".gallery")) {
  const label = gallery.querySelector(".filter");
  const groups = [...gallery.querySelectorAll(".group")];
  if (label) {
    label.hidden = false;
    label.querySelector("select").addEventListener("change", (event) => {
      for (const group of groups) group.hidden = event.target.value !== "" && group.dataset.group !== event.target.value;
    });
  }
  gallery.querySelector(".keys").hidden = false;
  roam(gallery, [gallery]);
}
for (const gallery of document.querySelectorAll(".units")) {
  const units = [...gallery.querySelectorAll(".unit")];
  const selects = [...gallery.querySelectorAll("select")];
  const count = gallery.querySelector(".count");
  const fits = (unit, but) => selects.every((select) => select === but || select.value === "" || unit.dataset[select.dataset.key] === select.value);
  const filter = () => {
    for (const unit of units) unit.hidden = !fits(unit);
    const n = units.filter((unit) => !unit.hidden).length;
    count.textContent = n === units.length ? so_many(n, "unit") : `${n} of ${so_many(units.length, "unit")}`;
    // A choice that would leave nothing cannot be made.
    for (const select of selects) {
      const left = new Set(units.filter((unit) => fits(unit, select)).map((unit) => unit.dataset[select.dataset.key]));
      for (const option of select.options) option.disabled = option.value !== "" && !left.has(option.value);
    }
  };
  for (const select of selects) {
    select.parentElement.hidden = false;
    select.addEventListener("change", filter);
  }
  filter();
  gallery.querySelector(".keys").hidden = false;
  roam(gallery, units);
}
for (const gallery of document.querySelectorAll(".metamers")) {
  const rows = [...gallery.querySelectorAll(".stimulus")];
  const selects = [...gallery.querySelectorAll("select")];
  const count = gallery.querySelector(".count");
  const wanted = (item) => selects.every((select) => select.value === "" || item.dataset[select.dataset.key] === select.value);
  const filter = () => {
    let n = 0;
    let all = 0;
    for (const row of rows) {
      const made = [...row.querySelectorAll(".made")];
      for (const item of made) item.hidden = !wanted(item);
      const left = made.filter((item) => !item.hidden).length;
      row.hidden = left === 0 && made.length > 0;
      n += left;
      all += made.length;
    }
    for (const line of gallery.querySelectorAll(".network")) line.hidden = line.querySelector(".made:not([hidden])") === null;
    const layer = selects.find((select) => select.dataset.key === "layer")?.value ?? "";
    for (const part of gallery.querySelectorAll(".matched")) part.hidden = layer !== "" && part.dataset.layer !== layer;
    count.textContent = n === all ? so_many(all, "metamer") : `${n} of ${so_many(all, "metamer")}`;
  };
  for (const select of selects) {
    select.parentElement.hidden = false;
    select.addEventListener("change", filter);
  }
  filter();
  gallery.querySelector(".keys").hidden = false;
  roam(gallery, rows);
}
// Sounds: the picture is the player, and one plays at a time.
const players = [...document.querySelectorAll(".sound audio")];
for (const audio of players) {
  const card = audio.closest(".sound");
  const cursor = document.createElement("span");
  cursor.className = "cursor";
  cursor.hidden = true;
  card.querySelector(".frame").append(cursor);
  audio.controls = false;
  audio.hidden = true;
  card.setAttribute("role", "button");
  card.setAttribute("aria-pressed", "false");
  const follow = () => {
    cursor.hidden = audio.paused;
    if (audio.paused) return;
    // The picture's time axis runs from 34 to 158 of its 160 units.
    cursor.style.left = `${(34 + 124 * audio.currentTime / (audio.duration || 1)) / 1.6}%`;
    requestAnimationFrame(follow);
  };
  const mark = () => {
    card.classList.toggle("playing", !audio.paused);
    card.setAttribute("aria-pressed", String(!audio.paused));
    follow();
  };
  for (const name of ["play", "pause", "ended"]) audio.addEventListener(name, mark);
  const toggle = () => {
    if (!audio.paused) { audio.pause(); return; }
    for (const other of players) if (other !== audio) other.pause();
    audio.currentTime = 0;
    audio.play().catch(mark);  // paused again before it began
  };
  card.addEventListener("click", toggle);
  card.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    toggle();
  });
}
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
let shown = null;
const place = () => {
  const box = shown.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${box.bottom + 6 + size.height < innerHeight ? box.bottom + 6 : Math.max(8, box.top - size.height - 6)}px`;
};
const show = (event) => {
  shown = event.target.closest?.(".card") ?? null;
  tip.hidden = !shown;
  if (!shown) return;
  tip.innerHTML = shown.querySelector(".facts").innerHTML;
  const frame = shown.closest(".unit") && shown.querySelector(".frame");
  if (frame) {
    tip.prepend(frame.cloneNode(true));
    tip.classList.toggle("with-map", shown.closest(".units").querySelector(".show-maps")?.checked ?? false);
  }
  place();
};
document.addEventListener("mouseover", show);
document.addEventListener("focusin", show);
document.addEventListener("scroll", () => {
  if (shown && shown === document.activeElement) place();
  else tip.hidden = true;
}, { passive: true });
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const id of links.keys()) seen.observe(document.getElementById(id));
