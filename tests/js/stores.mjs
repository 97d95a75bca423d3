// stores.mjs - what all services keep, row by row, as `mdb_dump` (package lmdb-utils) reads it from a backup of the running house; and what became different.
import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const run = promisify(execFile);

/** The runtime's own notes, which move while nothing happens: how far followers have read, and for a minute the answer to each write, refused ones too. */
const bookkeeping = /^(svc\.cursors|svc\.state|svc\.repeat_[ab])$/;

/** The 16 bytes of an id in any Chirp spelling, as hex: as rows hold it. */
export function bytesOf(id) {
    const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    const all = [...id.slice(-27)].reduce((sum, letter) => sum * 62n + BigInt(digits.indexOf(letter)), 0n);
    return all.toString(16).padStart(40, "0").slice(8);
}

/** Rows of `mdb_dump -a`: each database has a header, then a key and a value a line. */
function readDump(service, text, rows) {
    let table;
    let key;
    for (const line of text.split("\n")) {
        if (line.startsWith("database=")) table = line.slice(9);
        else if (!line.startsWith(" ") || bookkeeping.test(table)) continue;
        else if (key === undefined) key = line.slice(1);
        else {
            rows.set(`${service} ${table} ${key}`, line.slice(1));
            key = undefined;
        }
    }
}

/** [service, what mdb_dump prints of its store], from copies made while all runs. */
export async function dumps(house) {
    const folder = mkdtempSync(join(tmpdir(), "av-dump-"));
    try {
        await house.aviary("backup", join(folder, "all"));
        const services = readdirSync(join(folder, "all"), { withFileTypes: true }).filter((entry) => entry.isDirectory() && entry.name !== "media");
        const printed = async (name) => (await run("mdb_dump", ["-a", join(folder, "all", name)], { maxBuffer: 1 << 28 })).stdout;
        return await Promise.all(services.map(async ({ name }) => [name, await printed(name)]));
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** Map of "service table key" to the row, in hex. */
async function dump(house) {
    const rows = new Map();
    const all = await dumps(house);
    for (const [service, text] of all) readDump(service, text, rows);
    return { rows, services: all.map(([service]) => service).sort() };
}

/** What the stores hold once all that was under way has ended: twice the same, a moment apart. */
export async function keptRows(house) {
    let last = await dump(house);
    for (let i = 0; i < 120; i++) {
        await sleep(250);
        const now = await dump(house);
        if (differences(last, now).length === 0) return now;
        last = now;
    }
    throw new Error("the stores do not come to rest");
}

/** One line for each row that came, went or changed; `concerns` may leave rows out. */
export function differences(before, after, concerns = () => true) {
    const told = [];
    for (const [row, value] of after.rows) {
        const old = before.rows.get(row);
        if (old !== value && concerns(row, value, old ?? "")) told.push(`${row} ${old === undefined ? "came" : "changed"}: ${value}`);
    }
    for (const [row, value] of before.rows) if (!after.rows.has(row) && concerns(row, value, "")) told.push(`${row} went`);
    return told;
}
