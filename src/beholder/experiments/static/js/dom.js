/** Make elements without templates: text is always text, never markup. */

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") Object.assign(element.style, value);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** An HTML element: `h("button", {class: "main", onclick: go}, "Next")`. */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An SVG element, in the same way. */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A string with `**strong**` and `[words](https://…)` as nodes. */
export function rich(text) {
  const nodes = [];
  let rest = 0;
  for (const match of text.matchAll(/\*\*(.+?)\*\*|\[([^\]]+)\]\(((?:https?:\/\/|mailto:)[^\s)]+)\)/g)) {
    nodes.push(text.slice(rest, match.index));
    nodes.push(
      match[1] !== undefined
        ? h("strong", {}, match[1])
        : h("a", { href: match[3], target: "_blank", rel: "noopener noreferrer" }, match[2]),
    );
    rest = match.index + match[0].length;
  }
  return [...nodes, text.slice(rest)];
}

/** Paragraphs of an array of strings; a string that starts with "- " is a point of a list. */
export function paragraphs(texts) {
  const nodes = [];
  for (const text of [texts].flat()) {
    if (!text.startsWith("- ")) {
      nodes.push(h("p", {}, rich(text)));
      continue;
    }
    if (nodes.at(-1)?.tagName !== "UL") nodes.push(h("ul"));
    nodes.at(-1).append(h("li", {}, rich(text.slice(2))));
  }
  return nodes;
}
