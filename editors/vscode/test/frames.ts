/** Reads a trace of the browser: how long a script ran in each frame. */

interface TraceEvent {
  readonly name: string;
  readonly ph: string;
  readonly ts: number;
  readonly dur?: number;
  readonly pid: number;
  readonly tid: number;
  readonly args?: { readonly data?: { readonly url?: string; readonly functionName?: string } };
}

/** Give the milliseconds that functions of a script took in each frame in which there were any. */
export function framesOf({ traceEvents }: { traceEvents: readonly TraceEvent[] }, script: string): number[] {
  const calls = traceEvents.filter(
    ({ name, ph, args }) => name === "FunctionCall" && ph === "X" && args?.data?.url?.includes(script) === true,
  );
  const [first] = calls;
  if (first === undefined) return [];
  const thread = ({ pid, tid }: TraceEvent): boolean => pid === first.pid && tid === first.tid;
  const begins = traceEvents
    .filter((event) => thread(event) && event.name === "BeginMainThreadFrame")
    .map(({ ts }) => ts)
    .sort((a, b) => a - b);
  const spent = new Map<number, number>();
  for (const call of outermost(calls.filter(thread))) {
    const frame = begins.findLastIndex((ts) => ts <= call.ts);
    spent.set(frame, (spent.get(frame) ?? 0) + (call.dur ?? 0) / 1000);
  }
  return [...spent.values()];
}

/** Leave out calls within calls. */
function outermost(calls: readonly TraceEvent[]): TraceEvent[] {
  let end = 0;
  return [...calls]
    .sort((a, b) => a.ts - b.ts || (b.dur ?? 0) - (a.dur ?? 0))
    .filter((call) => {
      if (call.ts < end) return false;
      end = call.ts + (call.dur ?? 0);
      return true;
    });
}
