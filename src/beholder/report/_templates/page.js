"use strict";
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
  // One stop for the Tab key; arrows move within.
  const all = [...gallery.querySelectorAll(".card")];
  all.forEach((card, index) => { card.tabIndex = index === 0 ? 0 : -1; });
  gallery.addEventListener("keydown", (event) => {
    const cards = all.filter((card) => card.closest("[hidden]") === null);
    const at = cards.indexOf(document.activeElement);
    if (at < 0) return;
    const here = cards[at].getBoundingClientRect();
    const nearest = (side) => cards
      .map((card) => [card, card.getBoundingClientRect()])
      .filter(([, box]) => side * (box.top - here.top) > here.height / 2)
      .sort(([, a], [, b]) => side * (a.top - b.top) || Math.abs(a.left - here.left) - Math.abs(b.left - here.left))[0]?.[0];
    const next = { ArrowRight: cards[at + 1], ArrowLeft: cards[at - 1], ArrowDown: nearest(1), ArrowUp: nearest(-1), Home: cards[0], End: cards.at(-1) }[event.key];
    if (!next) return;
    event.preventDefault();
    all.forEach((card) => { card.tabIndex = card === next ? 0 : -1; });
    next.focus();
  });
}
const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);
const show = (event) => {
  const card = event.target.closest?.(".card");
  tip.hidden = !card;
  if (!card) return;
  tip.innerHTML = card.querySelector(".facts").innerHTML;
  const box = card.getBoundingClientRect();
  const size = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(box.left, innerWidth - size.width - 8))}px`;
  tip.style.top = `${box.bottom + 6 + size.height < innerHeight ? box.bottom + 6 : box.top - size.height - 6}px`;
};
document.addEventListener("mouseover", show);
document.addEventListener("focusin", show);
document.addEventListener("scroll", () => { tip.hidden = true; }, { passive: true });
const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "true");
  }
}, { rootMargin: "0px 0px -75% 0px" });
for (const id of links.keys()) seen.observe(document.getElementById(id));
