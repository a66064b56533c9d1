/** Keys of a screen. Held keys count once, and shortcuts of browser and screen reader are left alone. */

/** Call `handlers[key]` for single keys until the returned function is called. Names as in KeyboardEvent.key. */
export function listenKeys(handlers, { typing = false } = {}) {
  const hear = (event) => {
    if (event.repeat || event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (!typing && /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName ?? "")) return;
    const handler = handlers[event.key] ?? (event.key.length === 1 ? handlers[event.key.toLowerCase()] : undefined);
    if (handler && handler(event) !== false) event.preventDefault();
  };
  document.addEventListener("keydown", hear);
  return () => document.removeEventListener("keydown", hear);
}
