/** The few calls of the protocol. A call lasts until it is answered: while the connection is gone it is repeated. */

import { pageTime } from "./clock.js";
import { takeEvidence } from "./evidence.js";
import { recall, remember } from "./storage.js";

const FIRST_WAIT_MS = 400;
const LONGEST_WAIT_MS = 8000;

/** An answer that repeating would not change. */
export class Refused extends Error {
  constructor(status, body) {
    super(body?.error ?? body?.message ?? `refused (${status})`);
    this.status = status;
    this.body = body ?? {};
  }
}

function pause(ms) {
  return new Promise((resolve) => {
    const finish = () => {
      clearTimeout(timer);
      window.removeEventListener("online", finish);
      resolve();
    };
    const timer = setTimeout(finish, ms);
    window.addEventListener("online", finish);
  });
}

export class Api {
  /** @param {(waiting: boolean) => void} onTrouble told when a call has to wait, and when it got through */
  constructor(transport, onTrouble) {
    this.transport = transport;
    this.onTrouble = onTrouble;
    this.token = null;
  }

  async call(method, path, body) {
    for (let wait = FIRST_WAIT_MS, troubled = false; ; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      let answer = null;
      try {
        answer = await this.transport.send(method, path, body, this.token);
      } catch {
        // No answer: the connection is gone, or the server is starting again.
      }
      const done = answer !== null && answer.status < 500 && answer.status !== 429;
      if (done && troubled) this.onTrouble(false);
      if (done && answer.status >= 400) throw new Refused(answer.status, answer.body);
      if (done) return answer.body;
      if (!troubled) this.onTrouble(true);
      troubled = true;
      await pause(answer?.retryAfter ? answer.retryAfter * 1000 : wait);
    }
  }

  greet() {
    return this.call("GET", "api/greeting");
  }

  /** Come in; with `begin` false only where the link names somebody who is here already. */
  join(parameters, screen, begin = true) {
    return this.call("POST", "api/join", { recruiter_params: parameters, screen, begin });
  }

  state() {
    return this.call("GET", "api/state");
  }

  step(step, data) {
    return this.call("POST", "api/step", { step, data, at_ms: Math.round(pageTime()), evidence: takeEvidence() });
  }

  /** Begin the next session of the same person. */
  next(parameters, screen) {
    return this.call("POST", "api/next", { recruiter_params: parameters, screen });
  }

  trials(from, count) {
    return this.call("GET", `api/trials?from=${from}&count=${count}`);
  }

  /** Say that a trial is about to be shown: `{show, presentations}`. `key` is this time's own, however often sent. */
  present(trial, key) {
    return this.call("POST", "api/presentations", { trial, key });
  }

  /** Resolves when the server answers. */
  reach() {
    this.reaching ??= this.call("POST", "api/beat", {}).finally(() => (this.reaching = null));
    return this.reaching;
  }

  /** Tell that stimuli of a trial cannot be shown here, and why: `"fetch"` or `"decode"`. */
  reportFailure(trial, stimuli, reason) {
    return this.call("POST", "api/failures", { trial, stimuli, reason });
  }

  /** Go on without a trial that cannot be shown. */
  skip(trial) {
    return this.call("POST", "api/skips", { trial });
  }

  withdraw() {
    return this.call("POST", "api/withdraw", {});
  }

  /** Save one answer. It is kept here until the server has it, so that a reload in between loses nothing. */
  async save(id, body) {
    remember("pending", { token: this.token, id, body });
    const saved = await this.call("PUT", `api/trials/${encodeURIComponent(id)}`, body);
    remember("pending", null);
    return saved;
  }

  /** Send what a reload interrupted; an answer that is no longer wanted is dropped. */
  async flush() {
    const pending = recall("pending");
    if (!pending) return;
    const { token } = this;
    this.token = pending.token; // it may be of whoever sat here before
    try {
      await this.save(pending.id, pending.body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      remember("pending", null);
    } finally {
      this.token = token;
    }
  }
}
