// The recipient's tracking page: asks for the history of one parcel and keeps it up to date.
// Plain browser code without a build step; the page calls `follow` once.

const POLL_MS = 20_000;
const SLOWEST_POLL_MS = 160_000;
const FINAL = new Set(["delivered", "returned"]);

/** Describe how long ago something happened, in the reader's language. */
export function ago(atSeconds, nowSeconds, locale = undefined) {
  const words = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const minutes = Math.round((atSeconds - nowSeconds) / 60);
  if (Math.abs(minutes) < 60) return words.format(minutes, "minute");
  const hours = Math.round(minutes / 60);
  return Math.abs(hours) < 48 ? words.format(hours, "hour") : words.format(Math.round(hours / 24), "day");
}

/** Return the pause before the next request, or null when the parcel's journey is over. */
export function nextPoll(status, failures) {
  if (FINAL.has(status)) return null;
  return Math.min(POLL_MS * 2 ** failures, SLOWEST_POLL_MS);
}

/** Draw the history as a list; texts are set as text, so a place's name can never become markup. */
export function draw(list, events, nowSeconds) {
  const items = events.map((event) => {
    const item = document.createElement("li");
    item.dataset.status = event.status;
    item.textContent = `${event.status} · ${event.place || "on the way"} · ${ago(event.at_s, nowSeconds)}`;
    return item;
  });
  list.replaceChildren(...items);
}

/** Follow a parcel until it has arrived; a page in a background tab asks nothing. */
export function follow(number, list, { fetchJson }) {
  let failures = 0;
  let timer = 0;

  async function refresh() {
    clearTimeout(timer);
    if (document.hidden) return; // visibilitychange calls again
    let status = "";
    try {
      const events = await fetchJson(`/parcels/${encodeURIComponent(number)}/events`);
      draw(list, events, Date.now() / 1000);
      status = events[0]?.status ?? "";
      failures = 0;
      list.removeAttribute("aria-busy");
    } catch {
      failures += 1;
      list.setAttribute("aria-busy", "true");
    }
    const pause = nextPoll(status, failures);
    if (pause !== null) timer = setTimeout(refresh, pause);
  }

  document.addEventListener("visibilitychange", refresh);
  return refresh();
}
