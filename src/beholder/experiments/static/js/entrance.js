/**
 * Who comes in: whom the link names, else whom the address names, else whom the tab or the browser remembers and who
 * says so. `docs/participants.md` has the table of what everybody is shown.
 */

import { Refused } from "./api.js";
import { askInAddress, isHeld, isReload, ownLink, plainLink, readParameters, readToken, showInAddress } from "./address.js";
import { show } from "./runner.js";
import { showEnd, showPhone, showPreview, showProblem, showRepeat } from "./screens/end.js";
import { Next, Who } from "./screens/who.js";
import { isPhone } from "./screens/window.js";
import { OVER, recall, recallVisitor, remember, rememberVisitor } from "./storage.js";
import { t } from "./texts.js";

export const ENDS = new Set(["done", "screened_out", "declined", "withdrawn"]);

const PREVIEW = "ASSIGNMENT_ID_NOT_AVAILABLE";

export class Entrance {
  /** @param {object} greeting how this study tells people apart, as the server says */
  constructor(session, greeting) {
    this.session = session;
    this.api = session.api;
    this.identity = greeting.identity;
    this.parameters = readParameters(greeting.parameters);
    this.phones = greeting.phones;
    this.several = greeting.n_visits > 1;
    this.named = false; // whether the link or the address says who is here
  }

  /** Whether anybody may come in: no recruiter says who somebody is. */
  get open() {
    return !this.identity;
  }

  /** Find out who is here, and hold their token; false where there is nobody to go on with, and a page says why. */
  async enter() {
    const { parameters } = this;
    if (parameters.assignmentId === PREVIEW) return leave(showPreview);
    if (this.identity && parameters[this.identity]) return this.enterByLink(parameters);
    const token = readToken();
    if (token) return this.enterByAddress(token);
    return this.enterByMemory();
  }

  /** The link names somebody: whatever else is remembered is theirs or of no account. */
  async enterByLink(parameters) {
    this.api.token = readToken() ?? this.recallToken();
    const phone = this.refusesPhone();
    let reply;
    try {
      reply = await this.api.join(parameters, this.session.describeScreen(), !phone);
    } catch (error) {
      if (phone && error instanceof Refused && error.status === 404) return leave(() => showPhone(plainLink()));
      throw error;
    }
    if (reply.token === null) return leave(() => showEnd({ ...reply.state, text: "withdrawn.again" }));
    this.hold(reply.token);
    this.named = true;
    return reply.repeat ? leave(() => showRepeat(reply)) : true;
  }

  /** Somebody's own link. Where nothing is known of them, the link may have been passed on. */
  async enterByAddress(token) {
    this.api.token = token;
    const state = await this.ask();
    if (state === null) return leave(() => this.showUnknown());
    const familiar = [recall("token"), recallVisitor()].includes(token) || isHeld() || !this.open;
    const over = ENDS.has(state.step);
    if (!over && !familiar) return this.choose("link", token);
    this.hold(token, over);
    this.named = true;
    return true;
  }

  /** A link that anybody may have: the tab or the browser may know who was here last. */
  async enterByMemory() {
    const last = recall("last");
    if (last && isReload()) {
      this.api.token = last;
      return true; // the page that is on the screen, once more
    }
    remember("last", null);
    const known = this.recallToken();
    if (known === null) return this.begin();
    if (known !== OVER) {
      this.api.token = known;
      const state = await this.ask();
      if (state === null) return this.begin();
      if (!ENDS.has(state.step)) return this.choose("here", known);
      if (state.unsaved) return this.choose("unsaved", known);
    }
    if (!this.open) return leave(() => showProblem("recruiter"));
    await show(Next, this.session, { heading: t("next_person.heading"), values: { several: this.several, alone: this.session.atEnd !== null } });
    return this.begin();
  }

  /** Go on with a session, or begin another one, as the person says. */
  async choose(kind, token) {
    if (this.refusesPhone()) return leave(() => showPhone(ownLink(token)));
    askInAddress();
    const { isNew } = await show(Who, this.session, { heading: t("who.heading"), values: { kind, open: this.open, several: this.several } });
    if (isNew) return this.begin();
    this.hold(token);
    return true;
  }

  /** Somebody new, by a link that names nobody. */
  async begin() {
    this.api.token = null;
    if (!this.open) return leave(() => showProblem("recruiter"));
    if (this.refusesPhone()) return leave(() => showPhone(plainLink()));
    const { token } = await this.api.join(this.parameters, this.session.describeScreen());
    this.hold(token);
    return true;
  }

  /** The token of the tab, or of the last person of the browser where anybody may come; OVER where all is over. */
  recallToken() {
    const [here, visitor] = [recall("token"), this.open ? recallVisitor() : null];
    return here === OVER ? (visitor ?? OVER) : (here ?? visitor);
  }

  /** Where the holder of the token stands; null where nobody knows it. */
  async ask() {
    try {
      return await this.api.state();
    } catch (error) {
      if (error instanceof Refused && error.status === 401) return null;
      throw error;
    }
  }

  /**
   * Go on as somebody: the address, the tab and, where no link names people, the browser know it. Who only sees how
   * theirs ended (`over`) does not make the browser forget somebody who is not through.
   */
  hold(token, over = false) {
    this.api.token = token;
    remember("token", token);
    remember("last", null);
    if (this.open && !(over && ![null, OVER].includes(recallVisitor()))) rememberVisitor(token);
    showInAddress(token);
  }

  /** The session is over: of the next person who comes by this tab or browser it is not. */
  close(token) {
    const kept = remember("token", this.open ? OVER : null);
    if (!this.open) return;
    if ([null, OVER, token].includes(recallVisitor())) rememberVisitor(OVER);
    if (kept && remember("last", token)) showInAddress(null);
  }

  /** A link that opens this session again; null where the recruiter's link does. */
  makeOwnLink() {
    return this.open ? ownLink(this.api.token) : null;
  }

  refusesPhone() {
    return isPhone() && !this.phones;
  }

  showUnknown() {
    const again = () => {
      remember("token", null);
      showInAddress(null);
      window.location.reload();
    };
    showProblem("unknown", null, this.open ? again : null);
  }
}

function leave(page) {
  page();
  return false;
}
