/** One window at a time: the newest goes on, the others of this browser step aside. */

/** Tell other tabs of the same session that this one goes on, and hear when another one does. */
export function claimTab(session, onTaken) {
  let channel;
  try {
    channel = new BroadcastChannel("beholder");
  } catch {
    return; // an old browser, or one that forbids it: the server takes each answer once anyway
  }
  channel.onmessage = (event) => {
    if (event.data === session) {
      channel.close();
      onTaken();
    }
  };
  channel.postMessage(session);
}
