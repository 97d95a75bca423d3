// No operation of Kirim shows or touches what another organization has: generated from the served document, so that a new operation cannot escape. Every id that an operation takes, in path, query or
// body, is tried with one of somebody else; the answer must be that to an id which nobody has, and no row of any store may have changed.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { ghost, Kirim, kindOf, nobody, valueOf } from "./kirim.mjs";
import { differences, keptRows } from "./stores.mjs";

let kirim;
let ours;
let theirs;
let orgOfTheirs;

before(async () => {
    kirim = await Kirim.start(["--rate-limits", "off"], { AVIARY_EDGE_KEY_USES: "1h" }); // the last use of a key is told later than this test ends
    theirs = await kirim.furnish({ marker: "Theirs", draws: 4 });
    orgOfTheirs = kirim.house.credentials.organization_id;
    const { key, testKey } = await kirim.organization("Other");
    ours = await kirim.furnish({ key, testKey, marker: "Ours" });
    theirs.ids.team = (await kirim.cli("team", "list", "--org", orgOfTheirs)).match(/team_\w{26}/)[0];
    ours.ids.team = (await kirim.cli("team", "list", "--org", (await kirim.orgFlag(key))[1])).match(/team_\w{26}/)[0];
});
after(() => kirim?.stop());

// Places whose schema does not say whose id they take: names and texts of somebody else's.
const unmarked = {
    "sendMessage body message_id": { body: (v) => ({ messaging_product: "whatsapp", status: "read", message_id: v }), value: () => theirs.wamid, ghost: "wamid.nobody", status: 404 },
};

/** Every place where an operation takes an id: {where, at, kind, name}. */
function places({ path, op }) {
    const found = (op.parameters ?? []).map((p) => kirim.resolve(p)).filter((p) => ["path", "query"].includes(p.in) && kindOf(p.schema)).map((p) => ({ where: p.in, at: [p.name], kind: kindOf(p.schema) }));
    const walk = (schema, at) => {
        const node = kirim.resolve(schema);
        if (!node || at.length > 6) return;
        if (kindOf(node)) found.push({ where: "body", at, kind: kindOf(node) });
        for (const [name, inner] of Object.entries(node.properties ?? {})) walk(inner, [...at, name]);
        if (node.items) walk(node.items, [...at, 0]);
        for (const inner of [...(node.anyOf ?? []), ...(node.oneOf ?? [])]) walk(inner, at);
    };
    if (op.requestBody) walk(op.requestBody.content["application/json"].schema, []);
    return found.map((place) => ({ ...place, name: `${op.operationId} ${place.where} ${place.at.join(".")}`, path }));
}

function put(object, [name, ...rest], value) {
    if (rest.length === 0) object[name] = value;
    else put((object[name] ??= {}), rest, value);
}

/** Ask as `who` with `id` in one place and one's own ids in all others. */
async function asked(who, { method, path, op }, place, id) {
    const url = kirim.path(path, op, who, place.where === "path" ? { [place.at[0]]: id } : {}) + (place.where === "query" ? `?${place.at[0]}=${id}` : "");
    const body = kirim.body(op.operationId, who);
    if (place.where === "body") put(body, place.at, id);
    return kirim.send(method.toUpperCase(), url, { key: who.key, body });
}

const plain = (answer, id) => answer.raw.replaceAll(id, "ID").replaceAll(/req_\w{26}/g, "REQ").replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "TIME");

/** The answer to somebody else's id is the one to an id that nobody has. */
async function tried(who, one, place, id, ask = asked) {
    const unknown = place.kind === "number" ? nobody : `${place.kind}_${ghost}`;
    const [got, want] = [await ask(who, one, place, id), await ask(who, one, place, unknown)];
    const name = `${place.name}=${id}: ${got.status} ${got.raw}`;
    const filter = place.where === "query" && got.status === 200 && got.json.data.length === 0; // that nothing fits
    const assignee = ["usr", "team"].includes(place.kind) && got.status === 400; // values of a field, not resources
    const bulk = place.at[0] === "contact_ids" && got.status === 200 && got.json.data.applied === 0 && got.json.data.skipped_cross_org === 1;
    assert.ok(got.status === 404 || filter || assignee || bulk, name);
    assert.equal(got.status, want.status, name);
    assert.equal(plain(got, id), plain(want, unknown), name);
}

async function changesNothing(work) {
    const before = await keptRows(kirim.house);
    await work();
    assert.deepEqual(differences(before, await keptRows(kirim.house)), []);
}

test("ids of another organization are ids that nobody has", () => changesNothing(async () => {
    const kinds = new Set();
    let count = 0;
    for (const one of kirim.operations())
        for (const place of places(one)) {
            const foreign = theirs.ids[place.kind];
            assert.ok(foreign, `${place.name} takes ids ${place.kind}_: make one of them in furnish ()`);
            await tried(ours, one, place, foreign);
            kinds.add(place.kind);
            count++;
        }
    assert.deepEqual([...kinds].sort(), ["cnv", "ctc", "lbl", "msg", "number", "sec", "team", "usr", "wbd", "wbs"]);
    assert.ok(count >= 53, `${count} places`);
}));

test("what is under one account is nothing under another of the same organization", async () => {
    const second = await kirim.furnish({ key: ours.key, testKey: ours.testKey, marker: "Second" });
    await changesNothing(async () => {
        let count = 0;
        for (const one of kirim.operations()) {
            if (!one.path.startsWith("/{phone_number_id}/")) continue;
            for (const place of places(one).filter((p) => ["cnv", "ctc", "msg"].includes(p.kind))) {
                await tried(ours, one, place, second.ids[place.kind]);
                count++;
            }
        }
        assert.ok(count >= 14, `${count} places`);
    });
});

test("ids of WhatsApp's, files, templates and phones of another organization", () => changesNothing(async () => {
    for (const [name, place] of Object.entries(unmarked)) {
        const ask = (value) => kirim.send("POST", `/${ours.account}/messages`, { key: ours.key, body: place.body(value) });
        const [got, want] = [await ask(place.value()), await ask(place.ghost)];
        assert.equal(got.status, place.status, `${name}: ${got.raw}`);
        assert.equal(plain(got, place.value()), plain(want, place.ghost), name);
    }
    const found = await kirim.send("GET", `/${ours.account}/contacts?phone=${encodeURIComponent(theirs.person)}`, { key: ours.key });
    assert.deepEqual(found.json.data, []);
    assert.deepEqual((await kirim.send("GET", `/${ours.account}/contacts?search=Theirs`, { key: ours.key })).json.data, []);
}));

test("a file of another organization is no file here", async () => {
    const form = new FormData();
    form.append("file", new Blob([Buffer.from("%PDF-1.4\n%%EOF\n")], { type: "application/pdf" }), "theirs.pdf");
    const uploaded = await kirim.house.request("POST", "/v1/media", { key: theirs.testKey, body: form });
    assert.equal(uploaded.status, 201, uploaded.raw);
    for (const [who, status] of [[theirs, 302], [ours, 404]]) {
        const sent = await kirim.send("POST", `/${who.account}/messages`, { key: who.key, body: { messaging_product: "whatsapp", to: who.person, type: "document", document: { id: uploaded.json.id } } });
        assert.equal(sent.status, 200, sent.raw); // an id that is none of ours may be one of Meta's
        assert.equal((await kirim.send("GET", `/${who.account}/messages/${sent.json.data.id}/media`, { key: who.key })).status, status);
    }
});

test("what an organization does for itself tells and touches nothing of another", async () => {
    const before = await keptRows(kirim.house);
    const words = [...Object.values(theirs.ids), theirs.marker, theirs.person, theirs.number, theirs.wamid].flatMap((w) => [w, w.replace(/^[a-z]+_/, "")]);
    const order = ["get", "post", "patch", "delete"];
    let done = 0;
    for (const one of [...kirim.operations()].sort((a, b) => order.indexOf(a.method) - order.indexOf(b.method) || b.path.length - a.path.length)) {
        const method = one.method.toUpperCase();
        const answer = await kirim.send(method, kirim.path(one.path, one.op, ours), { key: ours.key, body: kirim.body(one.op.operationId, ours) });
        assert.ok(answer.status < 500, `${one.name}: ${answer.raw}`);
        for (const word of words) assert.ok(!answer.raw.includes(word), `${one.name} tells ${word}: ${answer.raw}`);
        done += answer.status < 400 ? 1 : 0;
    }
    assert.ok(done >= 34, `${done} succeeded`);
    const after = await keptRows(kirim.house);
    assert.ok(differences(before, after).length > 50, "it did something");
    const org = valueOf(orgOfTheirs).toString(16).padStart(32, "0");
    assert.ok([...before.rows.values()].some((row) => row.includes(org)), "rows hold their organization's id");
    assert.deepEqual(differences(before, after, (row, value, old) => row.includes(org) || value.includes(org) || old.includes(org)), []);
});

test("a planted violation is found", async () => {
    const one = [...kirim.operations()].find(({ op }) => op.operationId === "getContact");
    const place = places(one).find((p) => p.kind === "ctc");
    const leak = (who, ...rest) => asked(theirs, ...rest); // as if nobody looked whose it is
    await assert.rejects(tried(ours, one, place, theirs.ids.ctc, leak), /getContact path id=.*: 200/);
    const before = await keptRows(kirim.house);
    const changed = await kirim.send("PATCH", `/${theirs.account}/contacts/${theirs.ids.ctc}`, { key: theirs.key, body: { name: "Planted" } });
    assert.equal(changed.status, 200, changed.raw);
    assert.ok(differences(before, await keptRows(kirim.house)).some((row) => row.startsWith("inbox ")));
});
