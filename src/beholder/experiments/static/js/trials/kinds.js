/** The plugin of each kind of task: the one place that knows which there are. */

import { Counterfactual } from "./counterfactual.js";
import { OddOneOut } from "./odd_one_out.js";
import { Recognition } from "./recognition.js";
import { SameDifferent } from "./same_different.js";
import { Similarity } from "./similarity.js";
import { TwoChoice } from "./two_choice.js";
import { Words } from "./words.js";

export const KINDS = {
  "2afc": TwoChoice,
  counterfactual: Counterfactual,
  recognition: Recognition,
  words: Words,
  same_different: SameDifferent,
  odd_one_out: OddOneOut,
  similarity: Similarity,
};
