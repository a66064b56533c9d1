/** Requests over HTTP to the server that sent this page. */

const PATIENCE_MS = 20000;

export class HttpTransport {
  /** One request; `{status, body, retryAfter}`, or an exception when nothing came back. */
  async send(method, path, body, token) {
    const headers = {};
    if (token) headers.Authorization = `Bearer ${token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const answer = await fetch(new URL(path, document.baseURI), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      cache: "no-store",
      credentials: "same-origin",
      referrerPolicy: "no-referrer",
      signal: AbortSignal.timeout(PATIENCE_MS),
    });
    const text = await answer.text();
    let content = {};
    try {
      content = text ? JSON.parse(text) : {};
    } catch {
      if (answer.ok) throw new TypeError("the answer is not JSON");
    }
    return { status: answer.status, body: content, retryAfter: Number(answer.headers.get("Retry-After")) || 0 };
  }

  /** The bytes of a stimulus; `fresh`: not those that the browser has kept. */
  async load(url, fresh = false) {
    const cache = fresh ? "reload" : "default";
    const answer = await fetch(new URL(url, document.baseURI), { referrerPolicy: "no-referrer", cache });
    if (!answer.ok) throw Object.assign(new TypeError(`stimulus: ${answer.status}`), { status: answer.status });
    return answer.blob();
  }
}
