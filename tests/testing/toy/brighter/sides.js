/** The two places, in the order in which they stand. */
export const SIDES = ["left", "right"];
