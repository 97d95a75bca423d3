// What every Kirim request has, whatever the operation: mounts, envelopes, request ids, keys, rate headers, cursors, idempotency answers; and that Chirp beside it answers as if it were alone.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { House } from "./house.mjs";

const types = ["invalid_request_error", "authentication_error", "permission_error", "not_found", "conflict", "rate_limit_error", "api_error"];
const requestId = /^req_[0-9A-HJKMNP-TV-Z]{26}$/;
let house;
let key;
let number;
let served;

before(async () => {
    house = await House.start();
    ({ key, phone_number_id: number } = house.credentials.kirim);
    served = (await house.request("GET", "/kirim/v1/openapi.json")).json;
});
after(() => house.stop());

const get = (path, options) => house.request("GET", path, { key, ...options });

/** The envelope of every failure. */
function assertError(answer, status, code, param) {
    assert.equal(answer.status, status, answer.raw);
    const { error } = answer.json;
    assert.ok(types.includes(error.type), error.type);
    assert.equal(error.code, code, answer.raw);
    assert.equal(error.param, param, answer.raw);
    assert.ok(error.message.length > 0);
    assert.match(error.request_id, requestId);
    assert.equal(error.request_id, answer.headers.get("x-request-id"));
    assert.match(answer.headers.get("content-type"), /^application\/json/);
}

function assertChirp(answer, status) {
    assert.equal(answer.status, status, answer.raw);
    assert.ok(answer.json.error.type);
    assert.equal(answer.json.error.request_id, undefined);
}

test("health needs no key, is asked under both mounts, and tells no rate limit", async () => {
    for (const mount of ["/v1", "/kirim/v1"]) {
        const answer = await house.request("GET", `${mount}/health`);
        assert.equal(answer.status, 200, answer.raw);
        assert.deepEqual(answer.json, { data: { status: "ok" }, request_id: answer.headers.get("x-request-id") });
        assert.match(answer.json.request_id, requestId);
        assert.equal(answer.headers.get("x-ratelimit-limit"), null);
    }
});

test("the document is served under both mounts and names this installation", async () => {
    const shared = await house.request("GET", "/v1/openapi.json");
    assert.equal(shared.status, 200);
    assert.deepEqual(shared.json, served);
    assert.match(shared.headers.get("x-request-id"), requestId);
    assert.equal(served.servers[0].url, `${house.url}/v1`);
    assert.ok(served.paths["/health"].get);
    const refused = await house.request("POST", "/v1/openapi.json");
    assertError(refused, 405, "method_not_allowed");
    assert.equal(refused.headers.get("allow"), "GET, HEAD");
});

test("a client's own request id is not taken over", async () => {
    const answer = await get("/v1/me", { headers: { "x-request-id": "mine" } });
    assert.match(answer.headers.get("x-request-id"), requestId);
    const chirp = await house.request("GET", "/v1/webhooks", { key: house.testKey, headers: { "x-request-id": "mine" } });
    assert.equal(chirp.headers.get("x-request-id"), "mine");
});

test("me shows organization, key and limits", async () => {
    const answer = await get("/v1/me");
    assert.equal(answer.status, 200, answer.raw);
    const { data } = answer.json;
    assert.match(data.organization.id, /^org_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.equal(data.organization.object, "organization");
    assert.match(data.api_key.id, /^key_[0-9A-HJKMNP-TV-Z]{26}$/);
    assert.equal(data.api_key.last4, key.slice(-4));
    assert.deepEqual(data.rate_limits, { tier: "default", write_per_minute: 60, read_per_minute: 600 });
});

test("accounts are one page, connected ones unless asked otherwise", async () => {
    const answer = await get("/v1/accounts");
    assert.equal(answer.status, 200, answer.raw);
    assert.deepEqual([answer.json.has_more, answer.json.next_cursor], [false, null]);
    const account = answer.json.data.find((a) => a.phone_number_id === number);
    assert.equal(account.object, "account");
    assert.equal(account.status, "connected");
    assert.match(account.phone_number, /^\+[1-9]\d+$/);
    assert.equal((await get("/v1/accounts?status=all&unknown=1")).status, 200);
    assertError(await get("/v1/accounts?status=odd"), 400, "invalid_field_value", "status");
});

test("keys: missing, of another form, unknown, of another API, in the wrong place", async () => {
    const rows = [
        [{}, "missing_api_key"],
        [{ authorization: `Basic ${Buffer.from(key).toString("base64")}` }, "missing_api_key"],
        [{ cookie: `key=${key}` }, "missing_api_key"],
        [{ authorization: "Bearer " }, "missing_api_key"],
        [{ authorization: "Bearer a b" }, "invalid_api_key"],
        [{ authorization: "Bearer kdv_live_000000000000000000000000" }, "invalid_api_key"],
        [{ authorization: `Bearer ${house.testKey}` }, "invalid_api_key"],
    ];
    for (const [headers, code] of rows) {
        const answer = await house.request("GET", `/v1/me?key=${key}`, { headers });
        assertError(answer, 401, answer.json.error.code);
        assert.ok(code === answer.json.error.code || (headers.authorization === "Bearer " && answer.json.error.code === "invalid_api_key"), answer.raw);
        assert.equal(answer.json.error.type, "authentication_error");
        assert.equal(answer.headers.get("x-ratelimit-limit"), null);
    }
    assertChirp(await house.request("GET", "/v1/webhooks", { key }), 401);
});

test("where nothing is, the key says whose answer it is, and a mount of its own always does", async () => {
    for (const path of ["/v1/nothing", "/v1/messages", "/v1/whatsapp/nothing", "/nothing", "/v1/me/more"]) {
        assertError(await get(path), 404, "resource_not_found");
        assertChirp(await house.request("GET", path, { key: house.testKey }), 404);
        assertChirp(await house.request("GET", path), 404);
    }
    for (const options of [{}, { key: house.testKey }]) assertError(await house.request("GET", "/kirim/v1/nothing", options), 404, "resource_not_found");
});

test("a method that a path does not take is 405 in its own envelope", async () => {
    const answer = await house.request("DELETE", "/v1/me", { key: house.testKey });
    assertError(answer, 405, "method_not_allowed");
    assert.equal(answer.headers.get("allow"), "GET, HEAD");
    assertChirp(await house.request("GET", "/v1/sms", { key }), 405);
    assertChirp(await house.request("GET", "/v1/whatsapp/messages", { key }), 405);
});

test("every operation of the document needs its key, and is not Chirp's", async () => {
    let asker = 0; // each from an address of its own: one address may only guess so often
    for (const [path, item] of Object.entries(served.paths))
        for (const [method, op] of Object.entries(item)) {
            const sample = (schema) => (schema.pattern?.startsWith("^\\d") ? "106540352242922" : schema.pattern?.match(/^\^([a-z]+_)/) ? `${schema.pattern.match(/^\^([a-z]+_)/)[1]}01HXYZABCDEFGHJKMNPQRSTVWX` : "x");
            let url = `/v1${path}`;
            for (const p of (op.parameters ?? []).filter((p) => p.in === "path")) url = url.replace(`{${p.name}}`, sample(p.schema));
            const answer = await house.request(method.toUpperCase(), url, { headers: { "x-forwarded-for": `203.0.113.${++asker}` } });
            if (op.security.length) assertError(answer, 401, "missing_api_key");
            else assert.equal(answer.status, 200);
        }
});

test("rate limits are the organization's, by class, told on successes and 4xx", async () => {
    const first = await get("/v1/me");
    const second = await get("/v1/accounts?status=odd");
    for (const answer of [first, second]) {
        assert.equal(answer.headers.get("x-ratelimit-limit"), "600");
        assert.ok(Number(answer.headers.get("x-ratelimit-reset")) >= Date.now() / 1000 - 2);
    }
    assert.ok(Number(second.headers.get("x-ratelimit-remaining")) <= Number(first.headers.get("x-ratelimit-remaining")) + 5);
});

test("an empty bucket is 429 with the time to wait", async () => {
    const small = await House.start("--rate-limits", "3");
    try {
        const options = { key: small.credentials.kirim.key };
        const answers = [];
        for (let i = 0; i < 4; i++) answers.push(await small.request("GET", "/v1/me", options));
        assert.deepEqual(answers.map((a) => a.status), [200, 200, 200, 429]);
        assert.deepEqual(answers.slice(0, 3).map((a) => a.headers.get("x-ratelimit-remaining")), ["2", "1", "0"]);
        assertError(answers[3], 429, "rate_limit_exceeded");
        assert.equal(answers[3].json.error.type, "rate_limit_error");
        assert.ok(Number(answers[3].headers.get("retry-after")) >= 1 && Number(answers[3].headers.get("retry-after")) <= 20);
        assert.equal(answers[3].headers.get("x-ratelimit-limit"), "3");
        assert.deepEqual(answers[0].json.data.rate_limits, { tier: "enterprise", write_per_minute: 3, read_per_minute: 3 });
    } finally {
        await small.stop();
    }
});

test("lists: limits and cursors", async (t) => {
    if (!served.paths["/labels"]) return t.skip("labels are not served");
    const ids = [];
    for (let i = 0; i < 3; i++) {
        const made = await house.request("POST", "/v1/labels", { key, body: { name: `page ${i}` } });
        assert.equal(made.status, 200, made.raw);
        ids.unshift(made.json.data.id);
    }
    for (const limit of ["0", "101", "-1", "1.5", "x", "", "99999999999999999999"]) assertError(await get(`/v1/labels?limit=${limit}`), 400, "invalid_limit", "limit");
    const seen = [];
    let cursor = null;
    do {
        const page = await get(`/v1/labels?limit=1${cursor ? `&cursor=${cursor}` : ""}`);
        assert.equal(page.status, 200, page.raw);
        assert.equal(page.json.has_more, page.json.next_cursor !== null);
        seen.push(...page.json.data.map((x) => x.id));
        cursor = page.json.next_cursor;
    } while (cursor);
    assert.deepEqual(seen.filter((id) => ids.includes(id)), ids);
    cursor = (await get("/v1/labels?limit=1")).json.next_cursor;
    assert.match(cursor, /^[A-Za-z0-9_-]+$/);
    for (const bad of ["x", "AAAA", `${cursor}A`, cursor.slice(0, -1), (cursor[0] === "A" ? "B" : "A") + cursor.slice(1)])
        assertError(await get(`/v1/labels?cursor=${bad}`), 400, "invalid_cursor", "cursor");
    if (served.paths["/webhook_subscriptions"]) assertError(await get(`/v1/webhook_subscriptions?cursor=${cursor}`), 400, "invalid_cursor", "cursor");
});

test("ids in paths: 400 for another form, 404 for nobody's", async (t) => {
    if (!served.paths["/labels/{id}"]) return t.skip("labels are not served");
    for (const id of ["x", "lbl_1", "msg_01HXYZABCDEFGHJKMNPQRSTVWX", "lbl_01hxyzabcdefghjkmnpqrstvwx"]) assertError(await get(`/v1/labels/${id}`), 400, "invalid_field_value", "id");
    for (const id of ["lbl_01HXYZABCDEFGHJKMNPQRSTVWX", "lbl_ZZZZZZZZZZZZZZZZZZZZZZZZZZ"]) assert.equal((await get(`/v1/labels/${id}`)).json.error.code, "resource_not_found");
});

test("idempotency: first, replay, reuse, and what is not kept", async (t) => {
    if (!served.paths["/labels"]) return t.skip("labels are not served");
    const post = (name, idempotency, path = "/v1/labels", body = { name, color: "red" }) => house.request("POST", path, { key, body, headers: { "idempotency-key": idempotency } });
    const umlaut = Buffer.from("once: ä 1", "utf8").toString("latin1"); // fetch sends a header's characters as bytes
    const first = await post("keyed", umlaut);
    assert.equal(first.status, 200, first.raw);
    assert.equal(first.headers.get("idempotent-replayed"), "false");
    const again = await house.request("POST", "/kirim/v1/labels", { key, body: ' {"color" : "red","name":"keyed"} ', headers: { "idempotency-key": umlaut, "content-type": "application/json" } });
    assert.equal(again.status, 200, again.raw);
    assert.equal(again.headers.get("idempotent-replayed"), "true");
    assert.deepEqual(again.json, first.json);
    assert.notEqual(again.headers.get("x-request-id"), first.headers.get("x-request-id"));
    assert.match(again.headers.get("x-request-id"), requestId);
    assertError(await post("other", umlaut), 422, "idempotency_key_reuse");
    const twice = await post("keyed", "second");
    assertError(twice, 400, "invalid_field_value", "name");
    const kept = await post("keyed", "second");
    assert.equal(kept.headers.get("idempotent-replayed"), "true");
    assert.equal(kept.json.error.request_id, twice.json.error.request_id);
    assertError(await post("long", "k".repeat(256)), 400, "invalid_field_value", "Idempotency-Key");
    assert.equal((await post("as long as may be", "k".repeat(255))).status, 200);
    const read = await get("/v1/labels", { headers: { "idempotency-key": "once" } });
    assert.equal(read.headers.get("idempotent-replayed"), null);
});

test("a body that is none is an invalid request", async (t) => {
    if (!served.paths["/labels"]) return t.skip("labels are not served");
    for (const [body, type] of [["{", "application/json"], ["[]", "application/json"], ["", "application/json"], ["name=x", "application/x-www-form-urlencoded"]])
        assertError(await house.request("POST", "/v1/labels", { key, body, headers: { "content-type": type } }), 400, "invalid_request");
    assertError(await house.request("POST", "/v1/labels", { key, body: {} }), 400, "missing_required_field", "name");
});

test("the limits in the notes of the API are those of the code", () => {
    const text = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");
    for (const word of ["kirim_write_per_minute", "kirim_read_per_minute", "idempotency_waiting", "kirim_mounts", "kirim_host"]) assert.ok(text.includes(word), word);
});
