// wait.mjs - waiting for a state, never for a time: the machine may be busy.
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

const patience = Number(process.env.AVIARY_PATIENCE || 1); // times as long to wait

/** The first result of `look` that is true; an error that names `what`, and with `tell` what is there instead, if none comes in time. */
export async function until(what, look, { seconds = 20, every = 25, tell } = {}) {
    const end = performance.now() + seconds * 1000 * patience;
    for (;;) {
        const found = await look();
        if (found) return found;
        if (performance.now() > end) throw new Error(`${what} did not come${tell ? `: ${await tell()}` : ""}`);
        await sleep(every);
    }
}
