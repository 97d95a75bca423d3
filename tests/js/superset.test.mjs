// The served document holds everything that the outside contract has: no operation, parameter, status, field, word or type is narrowed, but for the limits listed here.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { House } from "./house.mjs";

const read = (name) => JSON.parse(readFileSync(new URL(`../contract/${name}.facts.json`, import.meta.url), "utf8"));
const contracts = [{ facts: read("chirp"), document: "/openapi.json" }, { facts: read("kirim"), document: "/kirim/v1/openapi.json" }];

// Limits that the contract does not have and this installation does, each for a reason.
const limits = new Map([
    ["post /v1/sms request.to", "at most 100 recipients in one request"],
    ["post /v1/sms request.text", "at most 10 segments"],
    ["post /v1/sms request.subject", "255 characters"],
    ["post /v1/sms request.mediaUrls", "10 attachments"],
    ["post /v1/phone-numbers request.telnyxMessagingProfile", "200 characters"],
    ["post /v1/webhooks request.url", "2048 characters"],
    ["post /v1/webhooks request.events", "100 names"],
    ["put /v1/webhooks/{webhookId} request.url", "2048 characters"],
    ["put /v1/webhooks/{webhookId} request.events", "100 names, at least one"],
    ["post /v1/playground/sms/inbound request.text", "16384 characters"],
    ["post /v1/playground/sms/inbound request.subject", "255 characters"],
    ["post /v1/playground/whatsapp/inbound request.text", "4096 characters"],
    ["post /v1/whatsapp/messages request.text.body", "not empty"],
    ["post /v1/organization/admin-keys request.name", "200 characters"],
    ["post /v1/organization/app-keys request.name", "200 characters"],
    ["post /v1/organization/apps request.slug", "100 characters"],
    ["post /v1/organization/apps request.name", "200 characters"],
    ["put /v1/organization/apps/{appId} request.name", "200 characters"],
    ["post /v1/organization/apps/{appId}/webhooks request.url", "2048 characters"],
    ["post /v1/organization/apps/{appId}/webhooks request.events", "100 names"],
    ["put /v1/organization/apps/{appId}/webhooks/{webhookId} request.url", "2048 characters"],
    ["put /v1/organization/apps/{appId}/webhooks/{webhookId} request.events", "100 names, at least one"],
    ["post /v1/organization/apps/{appId}/phone-numbers request.telnyxMessagingProfile", "200 characters"],
    ["put /v1/organization/apps/{appId}/phone-numbers/{phoneNumberId} request.telnyxMessagingProfile", "200 characters"],
    ["put /v1/organization/apps/{appId}/calling request.voicemailGreetingUrl", "2048 characters"],
    ["patch /v1/organization/settings request.mediaRetentionDays", "36500 days"],
    ["post /v1/whatsapp/messages request.media.filename", "240 characters, WhatsApp's own limit"],
    ["post /v1/whatsapp/messages request.location.name", "1000 characters, WhatsApp's own limit"],
    ["post /v1/whatsapp/messages request.location.address", "1000 characters, WhatsApp's own limit"],
    ["post /v1/whatsapp/messages request.contacts.contacts", "257 cards, WhatsApp's own limit"],
    ["post /v1/whatsapp/messages request.contacts.contacts[].name.formattedName", "not empty"],
    ["post /v1/whatsapp/messages request.reaction.emoji", "one emoji: 64 characters hold the longest"],
    ["post /v1/whatsapp/messages request.template.name", "512 characters, WhatsApp's own limit"],
    ["post /v1/whatsapp/messages request.template.language", "16 characters: no language is longer"],
    ["post /v1/whatsapp/messages request.template.variables", "100 variables"],
    ...["image", "document", "video", "audio"].map((kind) => [`post /{phone_number_id}/messages request.${kind}.link`, "2048 characters"]),
    ["post /{phone_number_id}/messages header idempotency-key", "255 characters, of the contract's own prose"],
    ["get /{phone_number_id}/contacts query phone", "64 characters: no number is longer"],
    ["get /v1/organization/apps/check-slug query slug", "100 characters, as when an app is made"],
    ...["", "[].rows"].map((path) => [`post /{phone_number_id}/messages request.interactive.action.sections${path}`, "10, WhatsApp's own limit"]),
    ["post /{phone_number_id}/messages request.interactive.action.cards", "10, WhatsApp's own limit"],
    ["post /{phone_number_id}/messages request.interactive.action.cards[].card_index", "of 10 cards"],
    ["post /{phone_number_id}/messages request.interactive.action.cards[].action.buttons", "3, WhatsApp's own limit"],
    ["post /{phone_number_id}/messages request.message_id", "512 characters: no id is longer"],
    ["post /{phone_number_id}/messages request.template.name", "512 characters, WhatsApp's own limit"],
    ...["admin-keys", "app-keys", "apps", ...["keys", "webhooks", "phone-numbers"].map((kind) => `apps/{appId}/${kind}`)].map((path) => [`get /v1/organization/${path} query limit`, "100 a page"]),
    ["post /webhook_subscriptions request.url", "2048 characters"],
    ["post /webhook_subscriptions request.events", "100 names"],
    ["patch /webhook_subscriptions/{id} request.events", "100 names"],
    ["patch /webhook_subscriptions/{id} request.url", "2048 characters"],
    ["patch /{phone_number_id}/contacts/{id} request.email", "255 characters: no address is longer"],
]);

let house;
let served; // the document under test

before(async () => {
    house = await House.start();
    for (const contract of contracts) contract.served = (await house.request("GET", contract.document)).json;
});
after(() => house.stop());

function resolve(node) {
    while (node?.$ref) node = node.$ref.slice(2).split("/").reduce((at, key) => at[key], served);
    if (!node?.allOf || node.allOf.some((part) => part.if)) return node;
    const parts = node.allOf.map(resolve);
    return { ...Object.assign({}, ...parts), required: parts.flatMap((part) => part.required ?? []),
             properties: Object.assign({}, ...parts.map((part) => part.properties)) };
}

const list = (x) => (x === undefined ? [] : [x].flat());

/** Types that a schema admits: its own, or those of its alternatives. */
function types(node) {
    node = resolve(node);
    const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].map(resolve).filter((x) => x.type);
    return branches.length ? branches.flatMap((x) => list(x.type)) : list(node.type);
}

/** The alternative of a schema that is an object (of several, the one that has the names that `want` requires), else itself. */
function objectOf(node, want = {}) {
    node = resolve(node);
    const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? [])].map(resolve).filter((x) => x.properties);
    return branches.find((x) => list(want.required).every((name) => x.properties[name])) ?? branches[0] ?? node;
}

function checkRequest(want, have, where) {
    for (const variant of want.variants ?? []) checkRequest({ ...variant, required: [...(want.required ?? []), ...(variant.required ?? [])] }, have, where);
    if (want.variants) return;
    have = objectOf(have, want);
    if (!have || Object.keys(have).length === 0 || !have.type) return; // takes anything
    for (const type of list(want.type)) assert.ok(types(have).includes(type), `${where}: type ${type} is refused`);
    for (const word of want.enum ?? []) assert.ok(!have.enum || have.enum.includes(word), `${where}: ${word} is refused`);
    for (const name of have.required ?? []) assert.ok((want.required ?? []).includes(name), `${where}.${name}: is required here only`);
    for (const [key, worse] of [["maxItems", (a, b) => a < b], ["maxLength", (a, b) => a < b], ["maximum", (a, b) => a < b],
                                ["minItems", (a, b) => a > b], ["minLength", (a, b) => a > b], ["minimum", (a, b) => a > b]])
        if (key in have && !limits.has(where)) {
            const longest = Math.max(...list(want.enum).map((word) => String(word).length));
            const open = key.startsWith("min") ? 0 : key === "maxLength" && want.enum ? longest : Infinity;
            assert.ok(!worse(have[key], want[key] ?? open), `${where}: ${key} ${have[key]} is narrower`);
        }
    for (const [name, field] of Object.entries(want.properties ?? {})) {
        assert.ok(have.properties?.[name], `${where}.${name}: field is missing`);
        checkRequest(field, have.properties[name], `${where}.${name}`);
    }
    if (want.items) checkRequest(want.items, have.items ?? {}, `${where}[]`);
}

function checkAnswer(want, have, where) {
    have = objectOf(have);
    const wanted = want.variants ? want.variants.flatMap((x) => list(x.type)) : list(want.type);
    if (want.variants) want = want.variants.find((x) => x.properties) ?? want;
    for (const name of want.required ?? []) assert.ok((have.required ?? []).includes(name), `${where}.${name}: is not always sent`);
    if (wanted.length)
        for (const type of types(have)) assert.ok(wanted.includes(type) || (type === "integer" && wanted.includes("number")), `${where}: type ${type} is not of the contract`);
    for (const word of have.enum ?? []) assert.ok(!want.enum || want.enum.includes(word), `${where}: ${word} is not of the contract`);
    for (const [name, field] of Object.entries(want.properties ?? {}))
        if (have.properties?.[name]) checkAnswer(field, have.properties[name], `${where}.${name}`);
        else assert.ok(!(want.required ?? []).includes(name), `${where}.${name}: field is missing`);
    if (want.items) checkAnswer(want.items, have.items ?? {}, `${where}[]`);
}

for (const contract of contracts) {
    const { facts, document } = contract;
    for (const [name, op] of Object.entries(facts.operations))
        test(`${document} holds ${name}`, () => {
            served = contract.served;
            const [method, path] = name.split(" ");
            const have = served.paths[path]?.[method];
            assert.ok(have, "operation is missing");
            assert.equal(have.operationId, op.operationId);
            for (const p of op.parameters) {
                const same = (x) => (p.in === "header" ? x.name.toLowerCase() === p.name.toLowerCase() : x.name === p.name);
                const found = (have.parameters ?? []).map(resolve).find((x) => same(x) && x.in === p.in);
                assert.ok(found, `parameter ${p.name} is missing`);
                assert.ok(p.required || !found.required, `parameter ${p.name} is required here only`);
                checkRequest({ ...p.schema, type: undefined }, found.schema, `${name} ${p.in} ${p.name}`);
            }
            if (op.request.type || op.request.variants) checkRequest(op.request, have.requestBody.content["application/json"].schema, `${name} request`);
            for (const [status, body] of Object.entries(op.responses)) {
                const answer = resolve(have.responses[status]);
                assert.ok(answer, `status ${status} is missing`);
                if (body.type) checkAnswer(body, answer.content["application/json"].schema, `${name} ${status}`);
            }
            assert.ok(have.responses.default, "there is no default error");
        });

    for (const [name, payload] of Object.entries(facts.events))
        test(`${document} holds event ${name}`, () => {
            served = contract.served;
            const hook = served.webhooks[name];
            assert.ok(hook, "event is missing");
            checkAnswer(payload, hook.post.requestBody.content["application/json"].schema, name);
        });
}

test("the documents name this installation only", () => {
    for (const contract of contracts) {
        assert.ok(contract.served.servers[0].url.startsWith(house.url));
        assert.ok(!JSON.stringify(contract.served).match(/buildwithchirp|kirim\.chat|kirimdev|example\.test/));
    }
});
