/**
 * The weaker form: a page without a server. This stands in for the server, inside the page, so the right answers are
 * in the page too, and the answers leave the browser only at the end.
 */

import { isDamaged, readParameters } from "./address.js";
import { goOnAfter, pageTime } from "./clock.js";
import { ENDS } from "./entrance.js";
import { recall, remember } from "./storage.js";

const FRESH = { token: null, step: "consent", block: 1, steps: [], presented: [], failures: [], practice: [], answers: [], parameters: {} };
const ORDER = ["consent", "instructions", "checks", "practice", "trials", "comment", "debrief", "done"];

function decode(address) {
  const [head, body] = address.split(",");
  const bytes = Uint8Array.from(atob(body), (letter) => letter.charCodeAt(0));
  return new Blob([bytes], { type: /^data:([^;]+)/.exec(head)[1] });
}

export class PageTransport {
  /** @param {object} data what the page was written with: settings, trials, stimuli */
  constructor(data) {
    this.data = data;
    this.steps = ORDER.filter(
      (step) => (step !== "practice" || data.practice.length > 0) && (step !== "comment" || data.settings.comment),
    );
    this.take(`page-${data.name}`);
  }

  /** The same as HttpTransport.send, answered here. */
  async send(method, path, body, token) {
    const [place, query] = path.split("?");
    if (place === "api/greeting") return { status: 200, body: this.greet() };
    if (place === "api/join") return this.join(body, token);
    if (token !== this.run.token) return { status: 401, body: { code: "unauthorized" } };
    if (place === "api/state") return { status: 200, body: this.state() };
    if (place === "api/step") return this.step(body);
    if (place === "api/trials") return this.trials(new URLSearchParams(query));
    if (place === "api/presentations") return this.present(body);
    if (place === "api/failures") return this.note(body);
    if (place === "api/skips") return this.skip(body);
    if (place === "api/beat") return { status: 204, body: {} };
    if (place === "api/withdraw") return this.withdraw();
    return this.answer(decodeURIComponent(place.split("/").at(-1)), body);
  }

  /** The bytes of a stimulus. */
  async load(address) {
    return decode(this.data.files[Number(address.slice(1))]);
  }

  /** Who collects the pages may pass people on without their ids: then anybody may come. */
  greet() {
    const { identity, ...greeting } = this.data.greeting;
    const named = identity && readParameters([identity])[identity];
    return { ...greeting, identity: named ? identity : null, parameters: null };
  }

  /** Take up what the tab remembers under a name; its times go on from the last. */
  take(place) {
    this.place = place;
    this.run = { ...structuredClone(FRESH), ...recall(place) };
    if (this.run.last) goOnAfter(this.run.last);
  }

  keep() {
    this.run.last = pageTime();
    remember(this.place, this.run);
  }

  /** As on a server: whom the link names goes on, whatever the tab remembers; of others each call begins anew. */
  join({ recruiter_params: parameters, screen, begin }) {
    const { identity, job, parameters: ids } = this.data.greeting;
    if (ids.some((name) => name in parameters && isDamaged(parameters[name]))) return { status: 422, body: { code: "link" } };
    const who = identity && parameters[identity];
    if (who) {
      this.take(`page-${this.data.name}-${who}`);
      if (this.run.token) return this.reopen(parameters, job);
    }
    if (!begin) return { status: 404, body: { code: "nobody" } };
    this.run = structuredClone(FRESH);
    const token = `${this.data.name}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;
    Object.assign(this.run, { token, parameters, screen, begun: Math.round(pageTime()) });
    this.keep();
    return { status: 201, body: { token } };
  }

  reopen(parameters, job) {
    const { token, step, parameters: before } = this.run;
    if (!ENDS.has(step)) {
      this.run.parameters = parameters;
      this.keep();
      return { status: 200, body: { token, repeat: false } };
    }
    const repeat = Boolean(before[job] && parameters[job] && before[job] !== parameters[job]);
    return { status: 200, body: { token, repeat } };
  }

  /** What was collected is with whoever collects it: the next person finds the page free. */
  hand() {
    this.run.handed = true;
    this.keep();
  }

  get phase() {
    return this.run.step === "practice" ? this.data.practice[this.run.block - 1] : this.data.main;
  }

  given(step = this.run.step) {
    if (step !== "practice") return this.run.answers;
    return this.run.practice.filter((answer) => answer.block === this.run.block);
  }

  state() {
    const { data, run } = this;
    const blocks = data.practice.length;
    const practice = blocks && {
      block: run.block,
      n_blocks_left: blocks - run.block,
      n_trials: data.practice[run.block - 1].length,
      n_done: this.given("practice").length,
    };
    const state = {
      step: run.step,
      kind: data.kind,
      settings: data.settings,
      texts: data.texts,
      n_trials: data.main.length,
      n_done: run.answers.length,
      n_correct: run.answers.filter((answer) => answer.correct).length,
      practice: practice || null,
      checks: run.steps.find((each) => each.step === "checks")?.data ?? null,
      code: data.codes[run.step] || null,
      unsaved: ["done", "screened_out"].includes(run.step) && !run.handed,
    };
    return state;
  }

  advance(step) {
    this.run.step = step;
    this.keep();
  }

  step({ step, data, at_ms: at, evidence }) {
    const { run, steps } = this;
    if (step !== run.step) return { status: 409, body: { code: "step" } };
    run.steps.push({ step, data, at_ms: at, evidence });
    const { settings } = this.data;
    const failed = settings.headphone_check && data.headphones?.n_correct < settings.headphone_required;
    if (step === "consent" && !data.agreed) this.advance("declined");
    else if (step === "checks" && failed) this.advance("screened_out");
    else this.advance(steps[steps.indexOf(step) + 1]);
    return { status: 200, body: this.state() };
  }

  trials(query) {
    const from = Number(query.get("from")) - 1;
    const payloads = this.phase.slice(from, from + Number(query.get("count")));
    return { status: 200, body: payloads.map(({ correct, ...payload }) => payload) };
  }

  /** The next trial, and its practice block or 0; null where a page asks for another one. */
  findNext(trial) {
    const payload = this.phase[this.given().length];
    return payload?.id === trial ? { payload, block: this.run.step === "practice" ? this.run.block : 0 } : null;
  }

  /** As the server counts it: the same time once, and what is shown for a moment no more often than the study says. */
  present({ trial, key }) {
    const next = this.findNext(trial);
    if (!next) return { status: 409, body: { code: "order" } };
    const { payload, block } = next;
    const announced = this.run.presented.filter((each) => each.block === block && each.n === payload.n);
    const count = () => announced.filter((each) => each.shown).length;
    const most = payload.brief ? this.data.settings.presentations_max ?? Infinity : Infinity;
    let now = announced.find((each) => each.key === key);
    if (!now) {
      now = { block, n: payload.n, key, shown: count() < most, at_ms: Math.round(pageTime()) };
      for (const list of [announced, this.run.presented]) list.push(now);
      this.keep();
    }
    return { status: 200, body: { show: now.shown, presentations: count() } };
  }

  /** A stimulus of the next trial could not be shown: said to nobody before the end. */
  note({ trial, reason }) {
    const next = this.findNext(trial);
    if (!next) return { status: 409, body: { code: "order" } };
    this.run.failures.push({ block: next.block, n: next.payload.n, reason, at_ms: Math.round(pageTime()) });
    this.keep();
    return { status: 200, body: { told: false } };
  }

  /** Go on without a trial that could not be shown: a row without an answer. */
  skip({ trial }) {
    const next = this.findNext(trial);
    if (!next) return { status: 409, body: { code: "order" } };
    this.save(next.payload, { skipped: true, at_ms: Math.round(pageTime()) });
    return { status: 200, body: { saved: true } };
  }

  answer(id, body) {
    const given = this.given();
    const at = this.phase.findIndex((payload) => payload.id === id);
    if (at < 0) return { status: 409, body: { code: "order" } };
    const payload = this.phase[at];
    if (at === given.length) this.save(payload, body);
    else if (at > given.length) return { status: 409, body: { code: "order" } };
    const { correct } = [...this.run.practice, ...this.run.answers].findLast((answer) => answer.id === id);
    const feedback = payload.timing.feedback && correct !== null ? { feedback: { correct } } : {};
    return { status: 200, body: { saved: true, ...feedback } };
  }

  save(payload, body) {
    const { run } = this;
    const key = payload.correct;
    const correct = body.skipped ? null : key && Object.entries(key).every(([name, value]) => body.response[name] === value);
    const row = { id: payload.id, trial: payload.trial, n: payload.n, ...body, correct };
    if (run.step === "practice") this.savePractice({ block: run.block, ...row });
    else {
      run.answers.push(row);
      if (run.answers.length === this.data.main.length) this.advance(this.steps[this.steps.indexOf("trials") + 1]);
    }
    this.keep();
  }

  savePractice(row) {
    const { run, data } = this;
    run.practice.push(row);
    const given = this.given("practice");
    if (given.length < data.practice[run.block - 1].length) return;
    const { n_with_feedback: first, n_without: rest, n_required: required } = data.settings.practice;
    const counted = rest ? given.slice(first) : given;
    const skipped = counted.filter((answer) => answer.skipped).length;
    if (counted.filter((answer) => answer.correct).length >= required - skipped) run.step = "trials";
    else if (run.block < data.practice.length) run.block += 1;
    else run.step = "screened_out";
  }

  withdraw() {
    const { token, parameters } = this.run;
    this.run = { ...structuredClone(FRESH), token, parameters, step: "withdrawn" };
    this.keep();
    return { status: 200, body: this.state() };
  }

  /** Everything, for whoever collects it. */
  collect() {
    const { token, parameters, screen, begun, steps, presented, failures, practice, answers } = this.run;
    const { name, task, kind, plan_hash: plan } = this.data;
    return { name, task, kind, plan_hash: plan, session: token, begun, ended: Math.round(pageTime()), end: this.run.step, parameters, screen, steps, presented, failures, practice, answers };
  }
}
