// Deleting a contact for good, held against every table of every store: a marker in texts, names, e-mail, metadata and webhooks, and a phone number, planted through both dialects, leave
// nothing behind, while everybody else keeps all; killed services go on with it; `aviary compact` leaves no byte of it in any file.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { House, Receiver } from "./house.mjs";
import { dumps } from "./stores.mjs";
import { until } from "./wait.mjs";

const kept = "KEPT-4711-of-somebody";
const keepers = ["inbox", "messaging", "webhooks"]; // who keeps something of a contact
let house, receiver, failing, key, number, ours, label;

before(async () => {
    house = await House.start("--rate-limits", "off", "--loopback-delay", "10");
    ({ key, phone_number_id: number } = house.credentials.kirim);
    receiver = await Receiver.start();
    failing = await Receiver.start(() => 500);
    ours = (await ask("GET", "/accounts")).find((account) => account.phone_number_id === number).phone_number;
    const events = ["message.received", "message.status", "message.created", "contact.created", "contact.updated"];
    for (const { url } of [receiver, failing]) {
        await ask("POST", "/webhook_subscriptions", { url, events });
        const names = ["messages.whatsapp.received", "messages.whatsapp.delivered", "messages.whatsapp.sent"];
        const answer = await house.request("POST", "/v1/webhooks", { key: house.testKey, body: { url, events: names } });
        assert.equal(answer.status, 201, answer.raw);
    }
    label = await ask("POST", "/labels", { name: "people" });
});
after(async () => {
    await house.stop();
    await receiver.stop();
    await failing.stop();
});

const cli = (...args) => house.aviary(...args);

async function ask(method, path, body, { status = 200, idempotency } = {}) {
    const headers = idempotency ? { "idempotency-key": idempotency } : {};
    const answer = await house.request(method, `/kirim/v1${path}`, { key, body, headers });
    assert.equal(answer.status, status, `${method} ${path}: ${answer.raw}`);
    return answer.json.data ?? answer.json;
}

async function writes(from, text) {
    const answer = await house.request("POST", "/v1/playground/whatsapp/inbound", { key: house.testKey, body: { from, to: ours, text } });
    assert.equal(answer.status, 202, answer.raw);
}

const contactOf = async (who) => (await ask("GET", `/${number}/contacts?phone=${encodeURIComponent(who)}`))[0];
const messagesOf = async (who) => ask("GET", `/${number}/messages?limit=100`).then((all) => all.filter((m) => JSON.stringify(m).includes(who.slice(1))));

/** All that one can leave of a person: written by them and to them, in both dialects, with keys, webhooks that arrive and that fail, a named contact with labels. */
async function plant(who, mark) {
    await writes(who, `hello, ${mark}`);
    const contact = await until("a contact", () => contactOf(who));
    const conversation = await until("a conversation", async () => (await ask("GET", `/${number}/conversations?contact_id=${contact.id}`))[0]);
    const text = (body) => ({ messaging_product: "whatsapp", to: who, type: "text", text: { body } });
    const sent = await ask("POST", `/${number}/messages`, text(`an answer, ${mark}`), { idempotency: `k-${mark}` });
    const chirp = { from: ours, to: who, type: "text", text: { body: `from the app, ${mark}` } };
    const headers = { "idempotency-key": `c-${mark}` };
    const app = await house.request("POST", "/v1/whatsapp/messages", { key: house.testKey, body: chirp, headers });
    assert.equal(app.status, 201, app.raw);
    await ask("PATCH", `/${number}/contacts/${contact.id}`, { name: `N ${mark}`, email: `${mark}@x.example`, metadata: { note: mark } });
    await ask("POST", `/${number}/contacts/${contact.id}/labels`, { label_id: label.id });
    await ask("POST", `/${number}/conversations/${conversation.id}/labels`, { label_id: label.id });
    await ask("POST", `/${number}/contacts`, { phone_number: who, name: mark }, { status: 400, idempotency: `f-${mark}` });
    await until("receipts", async () => (await messagesOf(who)).filter((m) => ["delivered", "read"].includes(m.status)).length >= 2);
    await until("webhooks", () => receiver.requests.some((r) => r.raw.includes(mark) && r.raw.includes("read")));
    await until("failures", () => failing.requests.some((r) => r.raw.includes(mark)));
    return { who, mark, contact, conversation, sent, text, chirp, headers, app: app.json };
}

/** Each row of each table of each store, from copies made while all runs. */
async function rows() {
    const found = [];
    for (const [service, text] of await dumps(house)) {
        let table = "";
        for (const line of text.split("\n"))
            if (line.startsWith("database=")) table = line.slice(9);
            else if (line.startsWith(" ")) found.push({ table: `${service} ${table}`, hex: line.slice(1) });
    }
    return found;
}

const tablesWith = (all, ...texts) => [...new Set(all.filter((row) => texts.some((t) => row.hex.includes(Buffer.from(t).toString("hex")))).map((row) => row.table))];

function* files(folder) {
    for (const entry of readdirSync(folder, { withFileTypes: true })) {
        const path = join(folder, entry.name);
        if (entry.isDirectory()) yield* files(path);
        else if (entry.isFile()) yield path;
    }
}

/** A file of an upload under way may be gone by the time it is looked at. */
function bytesOf(path) {
    try {
        return readFileSync(path);
    } catch (error) {
        if (error.code === "ENOENT") return Buffer.alloc(0);
        throw error;
    }
}

const filesWith = (...texts) => [...files(house.data)].filter((path) => statSync(path, { throwIfNoEntry: false })?.size && texts.some((t) => bytesOf(path).includes(Buffer.from(t))));

async function pending() {
    const answer = await house.request("GET", "/metrics");
    const found = [...answer.raw.matchAll(/^aviary_(\w+)_erase_pending\{[^}]*\} (\d+)$/gm)];
    return { count: found.reduce((sum, m) => sum + Number(m[2]), 0), services: found.map((m) => m[1]).sort() };
}

async function erased(id, ...services) {
    if (services.length === 0) services = keepers;
    await until("the end of the erasing", async () => {
        const now = await pending();
        const story = await cli("explain", id, "--json").then(JSON.parse, () => ({ lines: [] }));
        const done = new Set(story.lines.filter((line) => line.what === "erased").map((line) => line.service));
        return now.count === 0 && now.services.length >= 3 && services.every((s) => done.has(s));
    });
}

test("what is erased is in no table, and nobody else loses anything", async () => {
    const person = await plant("+628117654321", "MARK-8814-of-a-person");
    const other = await plant("+628117654322", kept);
    const before = await rows();
    const said = (await messagesOf(other.who)).map((message) => message.id);
    assert.ok(said.length >= 2);
    assert.ok(tablesWith(before, person.mark).length > 6, tablesWith(before, person.mark));
    await ask("DELETE", `/${number}/contacts/${person.contact.id}`);
    await ask("GET", `/${number}/contacts/${person.contact.id}`, undefined, { status: 404 });
    await erased(person.contact.id);
    assert.deepEqual(tablesWith(await rows(), person.mark, person.who.slice(1)), []);
    await erased(person.conversation.id);
    for (const id of [person.sent.id, person.app.id]) await erased(id, "messaging", "webhooks");

    // The same keys act no more, and tell no content.
    const again = await house.request("POST", `/kirim/v1/${number}/messages`, { key, body: person.text(`an answer, ${person.mark}`), headers: { "idempotency-key": `k-${person.mark}` } });
    assert.equal(again.status, 404, again.raw);
    assert.ok(!again.raw.includes(person.mark));
    assert.deepEqual(await messagesOf(person.who), []);

    // The other person has everything, and goes on.
    assert.equal((await contactOf(other.who)).metadata.note, kept);
    assert.deepEqual((await messagesOf(other.who)).map((message) => message.id), said);
    assert.deepEqual(tablesWith(await rows(), kept), tablesWith(before, kept));
    assert.equal((await ask("GET", "/labels")).find((one) => one.id === label.id).name, "people");

    // Who comes again is somebody new.
    await writes(person.who, "me again");
    const anew = await until("a new contact", () => contactOf(person.who));
    assert.notEqual(anew.id, person.contact.id);
    await ask("DELETE", `/${number}/contacts/${anew.id}`);
    await erased(anew.id);
});

test("services that are killed go on with it", async () => {
    const people = [];
    for (let i = 0; i < 2; i++) people.push(await plant(`+62811765440${i}`, `MARK-kill-${i}-of-a-person`));
    for (const [i, person] of people.entries()) {
        const now = await house.pids(keepers);
        await ask("DELETE", `/${number}/contacts/${person.contact.id}`);
        await sleep(i * 150);
        for (const pid of Object.values(now)) process.kill(pid, "SIGKILL");
        await house.pids(keepers, now); // others, which are ready
    }
    for (const person of people) await erased(person.contact.id);
    assert.deepEqual(tablesWith(await rows(), "MARK-kill", ...people.map((p) => p.who.slice(1))), []);
});

test("what came by a carrier goes too, files and late receipts included", async () => {
    const loopback = { house, key, number, ours };
    house = await House.start("--simulate", "--rate-limits", "off");
    try {
        ({ key, phone_number_id: number } = house.credentials.kirim);
        const who = "+14157770199", mark = "MARK-carrier-of-a-person";
        const to = house.credentials.app.whatsapp_number;
        const document = { base64: Buffer.from(`%PDF-1.4\n${mark}\n%%EOF\n`).toString("base64"), mime_type: "application/pdf", filename: `${mark}.pdf` };
        await house.control("POST", "/inbound", { provider: "meta", from: who, to, type: "text", text: { body: mark } });
        await house.control("POST", "/inbound", { provider: "meta", from: who, to, type: "document", document: { caption: mark }, media: document });
        await until("the file", async () => filesWith(mark).some((path) => path.includes("/media/")));
        const contact = await until("a contact", () => contactOf(who));
        await house.control("PUT", "/settings", { callback_delay_ms: 3000 }); // its receipts come when it is gone
        const sent = await ask("POST", `/${number}/messages`, { messaging_product: "whatsapp", to: who, type: "text", text: { body: `bye, ${mark}` } });
        await until("the send", async () => (await cli("explain", sent.id)).includes("attempt"));
        await ask("DELETE", `/${number}/contacts/${contact.id}`);
        await erased(contact.id);
        await house.quiet(); // the late receipts came
        await erased(contact.id);
        assert.deepEqual(tablesWith(await rows(), mark, who.slice(1)), []);
        assert.deepEqual(filesWith(mark, who.slice(1)).filter((path) => path.includes("/media/")), []);
    } finally {
        await house.stop();
        ({ house, key, number, ours } = loopback);
    }
});

test("compacting leaves no byte of it in any file", async () => {
    const gone = ["MARK-8814", "MARK-kill", "628117654321", "6281176544"];
    assert.ok(filesWith(...gone).length > 0, "erasing alone overwrites nothing");
    const told = JSON.parse(await cli("compact", "--json"));
    assert.ok(told.map((row) => row.service).includes("inbox") && told.length >= 5, JSON.stringify(told));
    assert.ok(told.every((row) => row.error === null && row.bytes_after <= row.bytes_before), JSON.stringify(told));
    await until("readiness", async () => (await fetch(`${house.url}/readyz`)).status === 200);
    assert.deepEqual(filesWith(...gone), []);
    assert.ok(filesWith(kept).length > 0);
    for (const service of ["messaging", "inbox", "webhooks"]) assert.ok(!existsSync(join(house.data, "store", service, "data.mdb.old")));
    // Everything works on.
    const person = await plant("+628117654777", "MARK-after-compact");
    await ask("DELETE", `/${number}/contacts/${person.contact.id}`);
    await erased(person.contact.id);
    assert.deepEqual(tablesWith(await rows(), person.mark), []);
});
