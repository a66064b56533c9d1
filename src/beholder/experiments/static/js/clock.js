/** Times of the page: setting the computer's clock while the page is open changes none of them. */

let ahead = 0;

/** Milliseconds since 1970 at a moment of `performance.now()`, now by default. */
export const pageTime = (moment = performance.now()) => performance.timeOrigin + moment + ahead;

/** Go on after a time that was told before this page was loaded again, whatever the clock says now. */
export function goOnAfter(time) {
  ahead += Math.max(0, time - pageTime());
}
