/** jsPsych runs the screens; each of ours is a jsPsych plugin. */

import { stage } from "./shell.js";

/* global initJsPsych, jsPsychModule */

const { ParameterType } = jsPsychModule;

/** The `info` of a plugin of ours; `session` is a function that gives what all screens share. */
export function describe(name, parameters = {}, data = {}) {
  return {
    name: `beholder-${name}`,
    version: "1.0.0",
    parameters: { session: { type: ParameterType.FUNCTION }, ...parameters },
    data,
  };
}

/** A parameter that holds plain values. */
export const PLAIN = { type: ParameterType.OBJECT, default: null };

/** A parameter that holds text. */
export const TEXT = { type: ParameterType.STRING, default: "" };

/** Run a list of trial descriptions; the data of the last one. Ends early when a screen says `{stop: true}`. */
export async function play(timeline) {
  stage().replaceChildren();
  let last = null;
  const jsPsych = initJsPsych({
    display_element: stage(),
    override_safe_mode: true,
    on_trial_start: () => stage().removeAttribute("tabindex"),
    on_trial_finish: (data) => {
      last = data;
      if (data?.stop) jsPsych.abortCurrentTimeline();
    },
  });
  await jsPsych.run(timeline);
  stage().replaceChildren();
  return last;
}

/** Run one screen. */
export function show(plugin, session, parameters = {}) {
  return play([{ type: plugin, session: () => session, ...parameters }]);
}
