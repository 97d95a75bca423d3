// Kirim's conversations, contacts and labels over HTTP: every answer held against the served document, every operation asked with success and failure, each error that the contract tells of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Contract } from "./contract.mjs";
import { until } from "./wait.mjs";

const unknown = "01HXYZABCDEFGHJKMNPQRSTVWX";
const ours = (path) => /^(\/\{phone_number_id\}\/(contacts|conversations)|\/labels)/.test(path);

let contract, house, request, app, number, base, user;
let people = 0;

before(async () => {
    contract = await Contract.start("--frozen-after", "60000"); // what stands still here is to go on
    house = contract.house;
    contract.ajv.removeSchema("doc");
    contract.document = (await house.request("GET", "/kirim/v1/openapi.json")).json;
    contract.ajv.addSchema(contract.document, "doc");
    contract.key = house.credentials.kirim.key;
    request = house.request.bind(house);
    house.request = (method, path, options) => request(method, `/kirim/v1${path}`, options);
    app = house.credentials.app;
    base = `/${house.credentials.kirim.phone_number_id}`;
    number = (await house.request("GET", "/accounts", { key: contract.key })).json.data[0].phone_number;
    user = (await cli("user", "create", "--name", "Ada", "--email", "ada@house.example")).match(/usr_\w{26}/)[0];
});
after(() => contract?.stop());

const call = (...args) => contract.call(...args);
const cli = (...args) => house.aviary(...args);
const phone = () => `+62811${String(1000000 + people++)}`;
const fails = async (status, code, param, method, path, options) => {
    const { error } = await call(status, method, path, options);
    assert.deepEqual([error.code, error.param], [code, param]);
};

/** A person writes to the account. */
async function writes(from, text = "Halo") {
    const answer = await request("POST", "/v1/playground/whatsapp/inbound", { key: app.test_key, body: { from, to: number, text } });
    assert.equal(answer.status, 202, answer.raw);
}

const contactOf = async (who) => (await call(200, "GET", `${base}/contacts?phone=${encodeURIComponent(who)}`)).data[0];
const conversationOf = async (who) => {
    const contact = await contactOf(who);
    return contact && (await call(200, "GET", `${base}/conversations?contact_id=${contact.id}`)).data[0];
};
const talk = async (who = phone()) => {
    await writes(who);
    return until("a conversation", () => conversationOf(who));
};
const create = async (body = {}) => (await call(200, "POST", `${base}/contacts`, { body: { phone_number: phone(), ...body } })).data;
const label = async (body = {}) => (await call(200, "POST", "/labels", { body: { name: `label ${people++}`, ...body } })).data;

test("contacts", async () => {
    const who = phone();
    const made = await create({ phone_number: who, name: "Siti Ömer", email: "Siti@Shop.example", metadata: { tier: [1, { deep: null }] } });
    assert.deepEqual(made.metadata, { tier: [1, { deep: null }] });
    assert.equal(made.whatsapp_account.phone_number, number);
    const path = `${base}/contacts/${made.id}`;
    assert.deepEqual((await call(200, "GET", path)).data, made);
    assert.deepEqual((await call(200, "PATCH", path, { body: {} })).data, made);
    assert.deepEqual((await contactOf(who)).id, made.id);
    assert.equal((await call(200, "GET", `${base}/contacts?phone=${who}`)).data.length, 1); // "+" not escaped
    for (const part of ["SITI", "öme", "shop.EX"]) assert.deepEqual((await call(200, "GET", `${base}/contacts?search=${part}`)).data.map((c) => c.id), [made.id]);
    assert.deepEqual((await call(200, "GET", `${base}/contacts?search=nobody`)).data, []);
    const changed = (await call(200, "PATCH", path, { body: { name: null, email: "", metadata: null } })).data;
    assert.deepEqual([changed.name, changed.email, changed.metadata], [null, null, null]);
    assert.equal((await call(200, "PATCH", path, { body: { email: "a@b.example" } })).data.email, "a@b.example");
    assert.equal((await call(200, "PATCH", path, { body: { email: null } })).data.email, null);
    assert.deepEqual((await call(200, "PATCH", path, { body: { metadata: { a: 1 } } })).data.metadata, { a: 1 });
    assert.equal((await create({ phone_number: phone().slice(1), email: null })).phone_number[0], "+"); // bare digits

    await fails(400, "invalid_field_value", "phone_number", "POST", `${base}/contacts`, { body: { phone_number: who } });
    await fails(400, "invalid_phone_number", "phone_number", "POST", `${base}/contacts`, { body: { phone_number: "0811" } });
    await fails(400, "missing_required_field", "phone_number", "POST", `${base}/contacts`, { body: { name: "x" } });
    await fails(400, "invalid_field_value", "email", "POST", `${base}/contacts`, { body: { phone_number: phone(), email: "x" } });
    await fails(400, "invalid_field_value", "metadata", "POST", `${base}/contacts`, { body: { phone_number: phone(), metadata: [] } });
    await fails(400, "invalid_field_value", "name", "PATCH", path, { body: { name: "" } });
    await fails(400, "invalid_field_value", "email", "PATCH", path, { body: { email: "x" } });
    await fails(400, "invalid_field_value", "metadata", "PATCH", path, { body: { metadata: "x" } });
    await fails(400, "invalid_field_value", "metadata", "PATCH", path, { body: { metadata: false } });
    await fails(400, "invalid_phone_number", "phone", "GET", `${base}/contacts?phone=x`);
    await fails(400, "invalid_limit", "limit", "GET", `${base}/contacts?limit=101`);
    await fails(400, "invalid_cursor", "cursor", "GET", `${base}/contacts?cursor=AAAA`);
    await fails(400, "invalid_field_value", "id", "GET", `${base}/contacts/ctc_x`);
    await fails(404, "resource_not_found", "id", "GET", `${base}/contacts/ctc_${unknown}`);
    await fails(404, "resource_not_found", "id", "PATCH", `${base}/contacts/ctc_${unknown}`, { body: { name: "x" } });
    await fails(404, "resource_not_found", "id", "DELETE", `${base}/contacts/ctc_${unknown}`);
    for (const [method, rest] of [["GET", "contacts"], ["POST", "contacts"], ["GET", `contacts/${made.id}`], ["GET", "conversations"]])
        await fails(404, "resource_not_found", "phone_number_id", method, `/99999999/${rest}`, method === "POST" ? { body: { phone_number: who } } : {});
    await fails(400, "invalid_field_value", "phone_number_id", "GET", "/12/contacts");
    const { error } = await call(400, "POST", `${base}/contacts`, { body: "{" });
    assert.equal(error.code, "invalid_request");
});

test("lists go page by page, and their cursors are their own", async () => {
    const made = [];
    for (let i = 0; i < 7; i++) made.unshift((await create({ name: `Page ${i}` })).id);
    const seen = [];
    let cursor = null;
    do {
        const page = await call(200, "GET", `${base}/contacts?search=page&limit=3${cursor ? `&cursor=${cursor}` : ""}`);
        assert.equal(page.has_more, page.next_cursor !== null);
        seen.push(...page.data.map((c) => c.id));
        if (page.next_cursor) await fails(400, "invalid_cursor", "cursor", "GET", `${base}/contacts?search=other&cursor=${page.next_cursor}`);
        cursor = page.next_cursor;
    } while (cursor);
    assert.deepEqual(seen, made);
    const first = await call(200, "GET", `${base}/contacts?limit=1`);
    assert.equal(first.data[0].id, made[0]);
    assert.equal((await call(200, "GET", `${base}/contacts?limit=1&cursor=${first.next_cursor}`)).data[0].id, made[1]);
});

test("conversations", async () => {
    const who = phone();
    const it = await talk(who);
    const path = `${base}/conversations/${it.id}`;
    assert.deepEqual([it.status, it.assignee, it.unread_count, it.contact.phone_number], ["open", null, 1, who]);
    assert.equal(it.last_inbound_at, it.last_message_at);
    assert.deepEqual((await call(200, "GET", path)).data, it);
    await writes(who, "again");
    await until("the second message", async () => (await call(200, "GET", path)).data.unread_count === 2);
    const given = (await call(200, "PATCH", path, { body: { assigned_to: user, status: "pending" } })).data;
    assert.deepEqual([given.status, given.assignee], ["pending", { id: user, name: "Ada", email: "ada@house.example" }]);
    assert.equal((await call(200, "PATCH", path, { body: { assigned_to: null } })).data.assignee, null);
    assert.equal((await call(200, "PATCH", path, { body: { status: "resolved" } })).data.status, "resolved");
    assert.deepEqual((await call(200, "GET", `${base}/conversations?status=resolved`)).data.map((c) => c.id), [it.id]);
    await writes(who, "once more");
    await until("reopening", async () => (await call(200, "GET", path)).data.status === "open");
    const other = await talk();
    const listed = (await call(200, "GET", `${base}/conversations?limit=2`)).data.map((c) => c.id);
    assert.deepEqual(listed, [other.id, it.id]);
    assert.deepEqual((await call(200, "GET", `${base}/conversations?contact_id=${it.contact.id}&status=pending`)).data, []);

    await fails(400, "missing_required_field", "status", "PATCH", path, { body: {} });
    await fails(400, "invalid_field_value", "status", "PATCH", path, { body: { status: "closed" } });
    await fails(400, "invalid_field_value", "assigned_to", "PATCH", path, { body: { assigned_to: `usr_${unknown}` } });
    await fails(400, "invalid_field_value", "assigned_to", "PATCH", path, { body: { assigned_to: "Ada" } });
    await fails(404, "resource_not_found", "id", "PATCH", `${base}/conversations/cnv_${unknown}`, { body: { status: "open" } });
    await fails(404, "resource_not_found", "id", "GET", `${base}/conversations/cnv_${unknown}`);
    await fails(400, "invalid_field_value", "id", "GET", `${base}/conversations/ctc_${unknown}`);
    await fails(400, "invalid_field_value", "status", "GET", `${base}/conversations?status=closed`);
    await fails(400, "invalid_field_value", "contact_id", "GET", `${base}/conversations?contact_id=x`);
    await fails(400, "invalid_limit", "limit", "GET", `${base}/conversations?limit=0`);
});

test("a send tells the conversation that it is in, and a read receipt makes it read", async () => {
    const who = phone();
    const send = async (to) => (await call(200, "POST", `${base}/messages`, { body: { messaging_product: "whatsapp", to, type: "text", text: { body: "Halo" } } })).data;
    const sent = await send(who);
    const it = await until("the conversation", () => conversationOf(who));
    assert.deepEqual([it.id, it.unread_count, it.last_inbound_at], [sent.conversation_id, 0, null]);
    await writes(who, "one");
    await writes(who, "two");
    await until("both", async () => (await conversationOf(who)).unread_count === 2);
    const inbound = (await call(200, "GET", `${base}/messages?conversation_id=${it.id}&direction=inbound`)).data;
    assert.equal(inbound.length, 2);
    const wamid = async (id) => (await call(200, "GET", `${base}/messages/${id}`)).data.message_id;
    for (const left of [1, 0]) {
        await call(200, "POST", `${base}/messages`, { body: { messaging_product: "whatsapp", status: "read", message_id: await wamid(inbound[left].id) } });
        await until("unread", async () => (await conversationOf(who)).unread_count === left);
    }
    const early = await create({ name: "Before any message" });
    await fails(404, "resource_not_found", "id", "GET", `${base}/conversations/cnv_${early.id.slice(4)}`);
    const first = await send(early.phone_number);
    const begun = await until("the conversation", () => conversationOf(early.phone_number));
    assert.deepEqual([begun.id, begun.contact.id, begun.contact.name], [first.conversation_id, early.id, "Before any message"]);
});

test("labels", async () => {
    const it = await talk();
    const vip = await label({ name: "VIP" });
    assert.equal(vip.color, "gray");
    const byId = `/labels/${vip.id}`;
    assert.deepEqual((await call(200, "GET", byId)).data, vip);
    assert.equal((await call(200, "PATCH", byId, { body: { color: "sky" } })).data.color, "sky");
    assert.ok((await call(200, "GET", "/labels?limit=100")).data.some((l) => l.id === vip.id));
    for (const [kind, id] of [["contact", it.contact.id], ["conversation", it.id]]) {
        const path = `${base}/${kind}s/${id}/labels`;
        for (let twice = 0; twice < 2; twice++)
            assert.deepEqual((await call(200, "POST", path, { body: { label_id: vip.id } })).data, { [`${kind}_id`]: id, label_id: vip.id, attached: true });
        for (let twice = 0; twice < 2; twice++)
            assert.deepEqual((await call(200, "DELETE", `${path}/${vip.id}`)).data, { [`${kind}_id`]: id, label_id: vip.id, attached: false });
        await fails(400, "missing_required_field", "label_id", "POST", path, { body: {} });
        await fails(404, "resource_not_found", "label_id", "POST", path, { body: { label_id: `lbl_${unknown}` } });
        await fails(404, "resource_not_found", "label_id", "DELETE", `${path}/lbl_${unknown}`);
        await fails(400, "invalid_field_value", "label_id", "DELETE", `${path}/lbl_x`);
    }
    const team = (await cli("team", "create", "--name", "Second")).match(/team_\w{26}/)[0];
    await fails(400, "missing_required_field", "team_id", "POST", "/labels", { body: { name: "whose" } });
    const foreign = await label({ team_id: team, name: "VIP" });
    await fails(400, "invalid_field_value", "name", "POST", "/labels", { body: { team_id: team, name: "VIP" } });
    await fails(400, "invalid_field_value", "team_id", "POST", "/labels", { body: { team_id: `team_${unknown}`, name: "x" } });
    await fails(400, "invalid_field_value", "color", "POST", "/labels", { body: { team_id: team, name: "x", color: "black" } });
    await fails(422, "team_mismatch", "label_id", "POST", `${base}/contacts/${it.contact.id}/labels`, { body: { label_id: foreign.id } });
    await fails(422, "team_mismatch", "label_id", "POST", `${base}/conversations/${it.id}/labels`, { body: { label_id: foreign.id } });

    const bulk = async (body) => (await call(200, "POST", `${base}/contacts/bulk_label`, { body })).data;
    const ids = [it.contact.id, `ctc_${unknown}`];
    assert.deepEqual(await bulk({ contact_ids: ids, label_id: vip.id, operation: "attach" }), { applied: 1, skipped_cross_org: 1, skipped_team_mismatch: 0 });
    assert.deepEqual(await bulk({ contact_ids: ids, label_id: foreign.id, operation: "attach" }), { applied: 0, skipped_cross_org: 1, skipped_team_mismatch: 1 });
    assert.deepEqual(await bulk({ contact_ids: ids, label_id: vip.id, operation: "detach" }), { applied: 1, skipped_cross_org: 1, skipped_team_mismatch: 0 });
    await fails(404, "resource_not_found", "label_id", "POST", `${base}/contacts/bulk_label`, { body: { contact_ids: ids, label_id: `lbl_${unknown}`, operation: "attach" } });
    await fails(400, "invalid_field_value", "contact_ids", "POST", `${base}/contacts/bulk_label`, { body: { contact_ids: [], label_id: vip.id, operation: "attach" } });
    await fails(400, "missing_required_field", "operation", "POST", `${base}/contacts/bulk_label`, { body: { contact_ids: ids, label_id: vip.id } });

    assert.deepEqual((await call(200, "DELETE", byId)).data, { id: vip.id, object: "label", deleted: true });
    for (const [method, options] of [["GET"], ["PATCH", { body: { name: "x" } }], ["DELETE"]]) await fails(404, "resource_not_found", "id", method, byId, options);
    await fails(400, "invalid_cursor", "cursor", "GET", "/labels?cursor=x");
});

test("an idempotency key, and who has no key", async () => {
    const body = { phone_number: phone(), name: "Once" };
    const headers = { "idempotency-key": "contact-1" };
    const first = await call(200, "POST", `${base}/contacts`, { body, headers });
    assert.deepEqual((await call(200, "POST", `${base}/contacts`, { body, headers })).data, first.data);
    await fails(422, "idempotency_key_reuse", undefined, "POST", `${base}/contacts`, { body: { ...body, name: "Twice" }, headers });
    for (const [path, item] of Object.entries(contract.document.paths).filter(([p]) => ours(p)))
        for (const method of Object.keys(item)) {
            const filled = path.replace("{phone_number_id}", base.slice(1)).replace(/\{(\w*)id\}/g, "x");
            assert.equal((await call(401, method.toUpperCase(), filled, { key: "kdv_live_000000000000000000000000" })).error.code, "invalid_api_key");
        }
});

test("a deleted contact is gone with its conversation", async () => {
    const who = phone();
    const it = await talk(who);
    assert.deepEqual((await call(200, "DELETE", `${base}/contacts/${it.contact.id}`)).data, { id: it.contact.id, object: "contact", deleted: true });
    await fails(404, "resource_not_found", "id", "GET", `${base}/contacts/${it.contact.id}`);
    await fails(404, "resource_not_found", "id", "GET", `${base}/conversations/${it.id}`);
    assert.equal(await contactOf(who), undefined);
    assert.match(await cli("explain", it.contact.id), /deleted for good/);
});

test("without the inbox its routes answer 503, sends go on, and it catches up", async () => {
    const who = phone();
    await house.stopped(["inbox"], async () => {
        const answer = await house.request("GET", `${base}/contacts?limit=1`, { key: contract.key });
        assert.deepEqual([answer.status, answer.json.error.code, answer.json.error.type], [503, "service_unavailable", "api_error"]);
        const sent = await request("POST", "/v1/whatsapp/messages", { key: app.test_key, body: { from: number, to: who, type: "text", text: { body: "Halo" } } });
        assert.equal(sent.status, 201, sent.raw);
    });
    await until("the inbox", async () => (await house.request("GET", `${base}/contacts?limit=1`, { key: contract.key })).status === 200);
    assert.equal((await until("the conversation", () => conversationOf(who))).unread_count, 0);
});

test("every operation was asked", () => contract.assertAllAsked(ours));
