// Kirim on a number at Meta, played by the simulator: it checks each type as Meta does, closes the 24-hour window, and refuses receipts when told to.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { House } from "./house.mjs";
import { until } from "./wait.mjs";

const LINK = "https://files.example/a.jpg";
const PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ";
let house, key, number;
let people = 0;

before(async () => {
    house = await House.start("--simulate", "--rate-limits", "off");
    ({ key, phone_number_id: number } = house.credentials.kirim);
    await control("PUT", "/settings", { callback_delay_ms: 20 });
});
after(() => house?.stop());
beforeEach(() => control("DELETE", "/rules"));

const control = (...args) => house.control(...args);

async function call(want, method, path, body) {
    const answer = await house.request(method, `/kirim/v1/${number}${path}`, { key, body });
    assert.equal(answer.status, want, `${method} ${path}: ${answer.raw}`);
    return answer.json;
}
const post = (body, want = 200) => call(want, "POST", "/messages", { messaging_product: "whatsapp", ...body });

const settled = (id, ...statuses) => until(`${statuses} of ${id}`, async () => {
    const { data } = await call(200, "GET", `/messages/${id}`);
    if (data.status === "failed" && !statuses.includes("failed")) throw new Error(JSON.stringify(data));
    return statuses.includes(data.status) && data;
});

/** A person who has written, so that the window is open. */
async function person(body = { type: "text", text: { body: "hi" } }) {
    const to = `+1415778${String(++people).padStart(4, "0")}`;
    const { id } = await control("POST", "/inbound", { provider: "meta", to: house.credentials.app.whatsapp_number, from: to, ...body });
    const { data } = await until("the inbound message", async () => {
        const page = await call(200, "GET", "/messages?direction=inbound&limit=100");
        for (const item of page.data) {
            const got = await call(200, "GET", `/messages/${item.id}`);
            if (got.data.message_id === id) return { data: { ...item, ...got.data } };
        }
    });
    return { to, inbound: data };
}

const card = (card_index, action) => ({
    card_index, type: "cta_url", header: { type: "image", image: { link: LINK } }, body: { text: "Card" },
    action: action ?? { name: "cta_url", parameters: { display_text: "See", url: "https://shop.example/" } },
});
const quick = (n) => ({ buttons: [{ type: "quick_reply", quick_reply: { id: `q${n}`, title: `Quick ${n}` } }] });
const interactive = (type, action, rest) => ({ type: "interactive", interactive: { type, body: { text: "B" }, action, ...rest } });
const types = {
    text: { type: "text", text: { body: "Halo" } },
    image: { type: "image", image: { link: LINK, caption: "c", filename: "dropped.jpg" } },
    document: { type: "document", document: { link: LINK, caption: "c", filename: "a.pdf" } },
    video: { type: "video", video: { link: LINK } },
    audio: { type: "audio", audio: { link: LINK, caption: "dropped" } },
    button: interactive("button", { buttons: [{ type: "reply", reply: { id: "a", title: "A" } }] }, { header: { type: "image", image: { link: LINK } }, footer: { text: "F" } }),
    list: interactive("list", { button: "Open", sections: [{ title: "S", rows: [{ id: "1", title: "One" }] }] }, { header: { type: "text", text: "H" } }),
    cta_url: interactive("cta_url", { name: "cta_url", parameters: { display_text: "Go", url: "https://shop.example/" } }),
    "carousel of links": interactive("carousel", { cards: [card(0), card(1)] }),
    "carousel of buttons": interactive("carousel", { cards: [card(0, quick(0)), card(1, quick(1))] }),
};
for (const [name, body] of Object.entries(types))
    test(`Meta takes a ${name}`, async () => {
        const { to, inbound } = await person();
        const { data } = await post({ to, ...body, context: { message_id: inbound.message_id } });
        assert.equal(data.conversation_id, inbound.conversation_id);
        const read = await settled(data.id, "delivered", "read");
        assert.match(read.message_id, /^wamid\./);
    });

test("what is free-form fails later when the window is closed; a template does not", async () => {
    const to = "+14157790001";
    const { data } = await post({ to, ...types.text });
    const failed = await settled(data.id, "failed");
    assert.equal(failed.error.code, "outside_24h_window");
    assert.equal(failed.error.provider_code, 131047);
    const known = async (name, text) => {
        await control("PUT", "/templates", { name, language: "en_US", waba_id: "102290129340398", category: "UTILITY", status: "APPROVED", components: [{ type: "BODY", text }] });
        return until(name, async () => (await call(200, "GET", "/templates")).data.find((x) => x.name === name));
    };
    const plain = await known("kirim_plain", "Hello");
    const counted = await known("kirim_counted", "Hello {{1}}");
    assert.ok(plain.provider_template_id);
    assert.deepEqual(counted.variables, ["1"]);
    assert.equal(counted.content, "Hello {{1}}");
    await settled((await post({ to, type: "template", template: { name: plain.name, language: { code: "en_US" } } })).data.id, "delivered", "read");
    const components = [{ type: "body", parameters: [{ type: "text", text: "Ann" }] }];
    await settled((await post({ to, type: "template", template: { name: counted.name, language: "en_US", components } })).data.id, "delivered", "read");
    const lacking = await post({ to, type: "template", template: { name: counted.name, language: "en_US" } });
    assert.equal((await settled(lacking.data.id, "failed")).error.code, "template_param_count_mismatch");
    assert.equal((await post({ to, type: "template", template: { name: "nobody_has_it", language: "en_US" } }, 400)).error.code, "invalid_template_name");
});

test("a receipt is Meta's to take: refused it is 502, taken it is not asked again", async () => {
    const { inbound } = await person();
    const receipt = { status: "read", message_id: inbound.message_id };
    await control("POST", "/rules", { provider: "meta", path: "/messages", times: 1, action: { error_code: 100 } });
    assert.equal((await post(receipt, 502)).error.code, "whatsapp_upstream_error");
    assert.equal((await call(200, "GET", `/messages/${inbound.id}`)).data.status, "pending");
    for (let i = 0; i < 2; i++) assert.equal((await post(receipt)).data.status, "read");
    assert.equal((await post({ ...receipt, typing_indicator: { type: "text" } })).data.id, inbound.id);
});

test("a file that came in is redirected to", async () => {
    const { inbound } = await person({ type: "image", media: PNG, image: { caption: "Look" } });
    assert.equal(inbound.type, "image");
    assert.equal(inbound.content, "Look");
    const answer = await until("the file", async () => {
        const got = await fetch(`${house.url}/kirim/v1/${number}/messages/${inbound.id}/media`, { headers: { authorization: `Bearer ${key}` }, redirect: "manual" });
        return got.status === 302 && got;
    });
    const file = await fetch(answer.headers.get("location"));
    assert.equal(file.status, 200);
    assert.match(file.headers.get("content-type"), /^image\//);
});
