// Every answer of every operation, success and error, validates against the served document. Operations come from the document itself, so that a new one
// without a row here fails the last test.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Contract, errorOf, ghost } from "./contract.mjs";
import { House, Receiver } from "./house.mjs";

let contract;
let house;
let receiver;
const call = (...args) => contract.call(...args);

before(async () => {
    contract = await Contract.start();
    house = contract.house;
    receiver = await Receiver.start();
});
after(async () => {
    await receiver.stop();
    await contract.stop();
});

const draw = (kind = "") => call(201, "POST", `/v1/playground/${kind}phone-numbers/system`);

test("sms", async () => {
    const { number } = await draw();
    const body = { from: number, to: ["+15551234567"], text: "Hello" };
    const sent = await call(201, "POST", "/v1/sms", { body });
    assert.equal(sent.status, "QUEUED");
    await call(201, "POST", "/v1/sms", { body: { ...body, text: undefined, mediaUrls: ["https://example.org/a.jpg"], subject: "s" } });
    await call(201, "POST", "/v1/sms", { body: { ...body, transport: "mms" } });
    assert.deepEqual(errorOf(await call(400, "POST", "/v1/sms", { body: { ...body, from: "+15559990000" } })), ["invalid_request_error", "phone_number_not_assigned", "from"]);
    assert.deepEqual(errorOf(await call(400, "POST", "/v1/sms", { body: { ...body, to: ["+15551234567", "0123"] } })), ["invalid_request_error", "invalid_phone_number", "to[1]"]);
    assert.deepEqual(errorOf(await call(400, "POST", "/v1/sms", { body: { ...body, transport: "sms", mediaUrls: ["https://example.org/a.jpg"] } })),
                     ["invalid_request_error", "unsupported_message_type", "transport"]);
    assert.equal((await call(400, "POST", "/v1/sms", { body: { ...body, transport: "pigeon" } })).error.param, "transport");
    assert.equal((await call(400, "POST", "/v1/sms", { body: "{" })).error.type, "invalid_request_error");
    assert.equal((await call(401, "POST", "/v1/sms", { body, key: null })).error.type, "authentication_error");
    assert.equal((await call(401, "POST", "/v1/sms", { body, key: "sk_test_app_nobody" })).error.type, "authentication_error");
    assert.equal((await call(401, "POST", "/v1/sms", { body, key: house.credentials.admin_key })).error.type, "authentication_error");
    assert.equal((await call(400, "POST", "/v1/sms", { body, key: house.credentials.app.live_key })).error.code, "phone_number_not_assigned");
    const headers = { "idempotency-key": "contract" };
    await call(201, "POST", "/v1/sms", { body, headers });
    await call(409, "POST", "/v1/sms", { body: { ...body, text: "other" }, headers });
});

test("whatsapp", async () => {
    const { number } = await draw("whatsapp/");
    const body = { from: number, to: "+15551234567", type: "text", text: { body: "Hello" } };
    assert.equal((await call(201, "POST", "/v1/whatsapp/messages", { body })).status, "queued");
    assert.equal((await call(404, "POST", "/v1/whatsapp/messages", { body: { ...body, type: "image", media: { mediaId: "med_x" } } })).error.param, "media.mediaId");
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body: { ...body, type: "pigeon" } })).error.param, "type");
    const buttons = { type: "buttons", body: "Which?", buttons: [{ id: "a", title: "A" }, { id: "a", title: "B" }] };
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body: { ...body, type: "interactive", interactive: buttons } })).error.param, "interactive.buttons[1]");
    const unknown = { name: "nobody_made_this", language: "en_US" };
    assert.equal((await call(404, "POST", "/v1/whatsapp/messages", { body: { ...body, type: "template", template: unknown } })).error.code, "template_not_found");
    assert.equal((await call(402, "POST", "/v1/whatsapp/messages", { body: { ...body, to: "+9992131047" } })).error.code, "conversation_window_expired");
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body: { ...body, text: { body: "" } } })).error.param, "text.body");
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body: { ...body, text: undefined } })).error.param, "text");
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body: { ...body, replyTo: "wamid.ABC" } })).error.param, "replyTo");
    assert.equal((await call(404, "POST", "/v1/whatsapp/messages", { body: { ...body, replyTo: `msg_wa_test_${ghost}` } })).error.param, "replyTo");
    assert.equal((await call(400, "POST", "/v1/whatsapp/messages", { body, key: house.credentials.app.live_key })).error.code, "whatsapp_not_configured");
    await call(401, "POST", "/v1/whatsapp/messages", { body, key: null });
});

test("read receipts and typing", async () => {
    const { number } = await draw("whatsapp/");
    const hook = await call(201, "POST", "/v1/webhooks", { body: { url: receiver.url, events: ["messages.whatsapp.received"] } });
    await call(202, "POST", "/v1/playground/whatsapp/inbound", { body: { from: "+15551230001", to: number, text: "Hi" } });
    const [told] = await receiver.wait(1, "messages.whatsapp.received");
    const messageId = JSON.parse(told.raw).data.message.id;
    const sent = await call(201, "POST", "/v1/whatsapp/messages", { body: { from: number, to: "+15551230001", type: "text", text: { body: "Hello" }, replyTo: messageId } });
    for (const path of ["/v1/whatsapp/messages/read", "/v1/whatsapp/messages/typing"]) {
        assert.equal((await call(200, "POST", path, { body: { messageId } })).success, true);
        assert.equal((await call(404, "POST", path, { body: { messageId: `msg_wa_test_${ghost}` } })).error.param, "messageId");
        assert.equal((await call(400, "POST", path, { body: { messageId: sent.id } })).error.param, "messageId");
        assert.equal((await call(400, "POST", path, { body: { messageId: "wamid.ABC" } })).error.param, "messageId");
        assert.equal((await call(400, "POST", path, { body: {} })).error.param, "messageId");
        await call(404, "POST", path, { body: { messageId }, key: house.credentials.app.live_key });
        await call(401, "POST", path, { body: { messageId }, key: null });
    }
    await call(200, "DELETE", `/v1/webhooks/${hook.id}`);
});

test("phone numbers", async () => {
    const drawn = await draw();
    const listed = await call(200, "GET", "/v1/phone-numbers?limit=5");
    assert.ok(listed.phoneNumbers.some((n) => n.number === drawn.number));
    assert.equal((await call(400, "GET", "/v1/phone-numbers?limit=0")).error.param, "limit");
    assert.equal((await call(400, "GET", "/v1/phone-numbers?offset=x")).error.param, "offset");
    await call(401, "GET", "/v1/phone-numbers", { key: null });
    await call(409, "POST", "/v1/phone-numbers", { body: { phoneNumberId: drawn.id } });
    await call(200, "DELETE", `/v1/phone-numbers/${drawn.id}`);
    await call(404, "DELETE", `/v1/phone-numbers/${drawn.id}`);
    await call(201, "POST", "/v1/phone-numbers", { body: { phoneNumberId: drawn.id, telnyxMessagingProfile: "p" } });
    assert.equal((await call(404, "POST", "/v1/phone-numbers", { body: { phoneNumberId: `ph_test_${ghost}` } })).error.param, "phoneNumberId");
    await call(404, "POST", "/v1/phone-numbers", { body: { phoneNumberId: drawn.id }, key: house.credentials.app.live_key });
    await call(400, "POST", "/v1/phone-numbers", { body: {} });
    for (const alias of [drawn.id.replace("_test", ""), drawn.id.toLowerCase(), `ph_test_${"z".repeat(27)}`, drawn.id.replace("ph_", "whk_"), "x"])
        await call(404, "DELETE", `/v1/phone-numbers/${alias}`);
    await call(401, "DELETE", `/v1/phone-numbers/${drawn.id}`, { key: null });
    await call(401, "POST", "/v1/phone-numbers", { body: {}, key: null });
});

test("webhooks", async () => {
    const body = { url: receiver.url, events: ["messages.sms.sent"], headers: { "X-A": "b" } };
    const made = await call(201, "POST", "/v1/webhooks", { body });
    const got = await call(200, "GET", `/v1/webhooks/${made.id}`);
    assert.equal(got.secret, undefined);
    assert.deepEqual(got.headers, body.headers);
    const changed = await call(200, "PUT", `/v1/webhooks/${made.id}`, { body: { events: ["messages.sms.failed"] } });
    assert.deepEqual([changed.url, changed.events, changed.headers], [body.url, ["messages.sms.failed"], body.headers]);
    assert.deepEqual((await call(200, "PUT", `/v1/webhooks/${made.id}`, { body: { headers: {} } })).headers, {});
    assert.ok((await call(200, "GET", "/v1/webhooks")).webhooks.some((w) => w.id === made.id));
    assert.equal((await call(400, "GET", "/v1/webhooks?limit=101")).error.param, "limit");
    assert.equal((await call(400, "POST", "/v1/webhooks", { body: { ...body, events: ["nothing.of.this"] } })).error.param, "events[0]");
    assert.equal((await call(400, "POST", "/v1/webhooks", { body: { ...body, url: "https://a:b@example.org/" } })).error.param, "url");
    assert.equal((await call(400, "PUT", `/v1/webhooks/${made.id}`, { body: { url: "http://169.254.169.254/" } })).error.param, "url");
    for (const method of ["GET", "DELETE"]) await call(404, method, `/v1/webhooks/whk_test_${ghost}`);
    await call(404, "PUT", `/v1/webhooks/whk_test_${ghost}`, { body: {} });
    await call(404, "GET", `/v1/webhooks/${made.id}`, { key: house.credentials.app.live_key });
    await call(200, "DELETE", `/v1/webhooks/${made.id}`);
    await call(404, "DELETE", `/v1/webhooks/${made.id}`);
    await call(401, "GET", "/v1/webhooks", { key: null });
    await call(401, "POST", "/v1/webhooks", { body, key: null });
    for (const method of ["GET", "DELETE"]) await call(401, method, `/v1/webhooks/${made.id}`, { key: null });
    await call(401, "PUT", `/v1/webhooks/${made.id}`, { body: {}, key: null });
});

test("playground", async () => {
    for (const kind of ["", "whatsapp/"]) {
        for (const role of ["system", "user"]) {
            const path = `/v1/playground/${kind}phone-numbers/${role}`;
            const made = await call(201, "POST", path);
            assert.equal(made.role, role);
            assert.ok((await call(200, "GET", path)).phoneNumbers.some((n) => n.id === made.id));
            for (const method of ["GET", "POST"]) {
                assert.equal((await call(403, method, path, { key: house.credentials.app.live_key })).error.code, "test_app_required");
                await call(401, method, path, { key: null });
            }
        }
        const path = `/v1/playground/${kind || "sms/"}inbound`;
        const body = { from: "+15551230000", to: "+15550109999", text: "Hi" };
        assert.equal((await call(202, "POST", path, { body })).status, "QUEUED");
        assert.equal((await call(400, "POST", path, { body: { ...body, text: "" } })).error.param, "text");
        assert.equal((await call(400, "POST", path, { body: { ...body, from: "me" } })).error.code, "invalid_phone_number");
        assert.equal((await call(403, "POST", path, { body, key: house.credentials.app.live_key })).error.code, "test_app_required");
        await call(401, "POST", path, { body, key: null });
    }
});

test("media", async () => {
    const form = (fields = {}, name = "a.pdf", bytes = "%PDF-1.4\n%%EOF\n", type = "application/pdf") => {
        const made = new FormData();
        for (const [key, value] of Object.entries(fields)) made.append(key, value);
        made.append("file", new Blob([bytes], { type }), name);
        return made;
    };
    const made = await call(201, "POST", "/v1/media", { body: form({ type: "document", filename: "b.pdf" }) });
    assert.deepEqual([made.type, made.mimeType, made.filename, made.mediaId], ["document", "application/pdf", "b.pdf", made.id]);
    const got = await call(200, "GET", `/v1/media/${made.id}`);
    const file = await fetch(got.url);
    assert.deepEqual([file.status, file.headers.get("content-type"), await file.text()], [200, "application/pdf", "%PDF-1.4\n%%EOF\n"]);
    assert.equal((await call(400, "POST", "/v1/media", { body: form({}, "a.png", "%PDF-1.4\n", "image/png") })).error.param, "file");
    assert.equal((await call(400, "POST", "/v1/media", { body: form({ type: "pigeon" }) })).error.param, "type");
    assert.equal((await call(400, "POST", "/v1/media", { body: form({ filename: "../x" }) })).error.param, "filename");
    assert.equal((await call(400, "POST", "/v1/media", { body: {} })).error.param, "Content-Type");
    await call(401, "POST", "/v1/media", { body: form(), key: null });
    const headers = { "idempotency-key": "media" };
    assert.equal((await call(201, "POST", "/v1/media", { body: form(), headers })).id, (await call(201, "POST", "/v1/media", { body: form(), headers })).id);
    await call(409, "POST", "/v1/media", { body: form({}, "other.pdf"), headers });
    for (const method of ["GET", "DELETE"]) {
        await call(404, method, "/v1/media/med_abc123");
        await call(404, method, `/v1/media/${made.id}`, { key: house.credentials.app.live_key });
        await call(401, method, `/v1/media/${made.id}`, { key: null });
    }
    await call(200, "DELETE", `/v1/media/${made.id}`);
    await call(404, "GET", `/v1/media/${made.id}`);
});

test("rate limits are told on every answer and 429 is the error object", async () => {
    const limited = await House.start("--rate-limits", "3");
    try {
        const answers = [];
        for (let i = 0; i < 8; i++) answers.push(await limited.request("GET", "/v1/phone-numbers", { key: limited.testKey }));
        const refused = answers.filter((a) => a.status === 429);
        assert.ok(refused.length >= 2);
        for (const a of answers) for (const h of ["limit", "remaining", "reset"]) assert.match(a.headers.get(`x-ratelimit-${h}`), /^\d+$/);
        for (const a of refused) {
            assert.equal(a.json.error.code, "rate_limit_exceeded");
            assert.equal(a.headers.get("x-ratelimit-remaining"), "0");
            assert.ok(Number(a.headers.get("retry-after")) >= 1);
        }
    } finally {
        await limited.stop();
    }
});

test("no operation of apps went unasked", () => contract.assertAllAsked((path) => !path.startsWith("/v1/organization")));
