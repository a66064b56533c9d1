/** One tab at a time: the newest goes on, the others step aside. */

/** Tell other tabs of the same participant that this one goes on, and hear when another one does. */
export function claimTab(token, onTaken) {
  if (typeof BroadcastChannel === "undefined") return;
  const channel = new BroadcastChannel("beholder");
  channel.onmessage = (event) => {
    if (event.data === token) {
      channel.close();
      onTaken();
    }
  };
  channel.postMessage(token);
}
