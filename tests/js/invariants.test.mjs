// Thousands of random operations of admin and app keys from 16 clients of two organizations at once, held against a model: each answer, and at barriers everything that can be read.
// The seed is printed; AVIARY_SEED repeats a run (what each client chooses; how requests overlap is the machine's), AVIARY_OPERATIONS says how many.
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { House, Receiver } from "./house.mjs";
import { Broken, choices, Life, Register, Story } from "./model.mjs";
import { Actor, operations, Organization, views } from "./organization.mjs";

const clients = 16;
const rounds = 4;
const count = Number(process.env.AVIARY_OPERATIONS ?? (process.env.AVIARY_LONG ? 100000 : 10000));
const seed = Number(process.env.AVIARY_SEED ?? randomInt(2 ** 31));
const story = new Story();
let house;
let receiver;
let organizations;
let actors;
let sound = false; // the model holds

before(async () => {
    house = await House.start("--rate-limits", "off", "--loopback-delay", "10");
    receiver = await Receiver.start();
    const second = JSON.parse(await house.aviary("org", "create", "--name", "Second", "--json"));
    organizations = [house.credentials, second].map((made) => new Organization(house, made, receiver));
    actors = Array.from({ length: clients }, (_, n) => new Actor(n, organizations[n % 2], story, choices(seed * 31 + n)));
    for (const [i, organization] of organizations.entries()) await organization.furnish(actors[i]);
});
after(async () => {
    for (const actor of actors ?? []) actor.close();
    await receiver?.stop();
    await house?.stop();
});

/** Run, and tell seed and story if something is broken. */
async function told(work) {
    try {
        await work();
    } catch (error) {
        error.message = `AVIARY_SEED=${seed} AVIARY_OPERATIONS=${count}\n${error.message}\n${story.tell(error.ids ?? [])}\n${house.log.slice(-1500)}`;
        throw error;
    }
}

/** All clients at once until `left` operations are done; the first that fails ends all. */
async function round(left) {
    let failed = false;
    const work = async (actor) => {
        try {
            while (!failed && left-- > 0) await actor.step();
        } catch (error) {
            failed = true;
            throw error;
        }
    };
    const ended = await Promise.allSettled(actors.map(work));
    const broken = ended.find((one) => one.status === "rejected");
    if (broken) throw broken.reason;
}

/* ---- looking at everything ---- */

/** All of a list by pages, which must add up to its totalCount. */
async function all(actor, path, name, page = 100) {
    const rows = [];
    for (;;) {
        const { json } = await actor.admin(200, "GET", `${path}?limit=${page}&offset=${rows.length}`);
        rows.push(...json[name]);
        if (json[name].length < page) {
            actor.equal(json.totalCount, rows.length, path);
            return rows;
        }
    }
}

/** The same by cursor. */
async function log(actor, channel) {
    const ids = [];
    for (let cursor = ""; ;) {
        const { json } = await actor.admin(200, "GET", `/${channel}/messages?limit=100${cursor}`);
        ids.push(...json.messages.map((m) => m.id));
        if (json.nextCursor === null) {
            actor.equal([json.totalCount, new Set(ids).size], [ids.length, ids.length], channel);
            return ids;
        }
        cursor = `&cursor=${json.nextCursor}`;
    }
}

const byId = (rows) => rows.sort(([a], [b]) => (a < b ? -1 : 1));
const livingHot = (organization) => [...organization.hot.values()].flat().filter((life) => life.app && !life.dead);

async function checkApps(actor, organization, own) {
    const listed = await all(actor, "/apps", "apps");
    const want = [...own, ...organization.shared].map((app) => [app.id, app.slug, app.name, app.live.paused ? "billing_paused" : "active", app.twin.id]);
    want.push(...[organization.first, ...livingHot(organization).map((life) => life.app)].map((app) => [app.id, app.slug, app.name, "active", app.testApp.id]));
    const name = listed.find((app) => app.id === organization.shared[0].id)?.name;
    organization.name.read(name, { start: performance.now(), end: performance.now() });
    want.find(([id]) => id === organization.shared[0].id)[2] = name; // as the register says
    actor.equal(byId(listed.map((app) => [app.id, app.slug, app.name, app.status, app.testApp.id])), byId(want));
    actor.equal(new Set(listed.map((app) => app.slug)).size, listed.length);
    for (const app of listed) await actor.admin(200, "GET", `/apps/${app.testApp.id}/calling`); // the twin is there
    return new Set(listed.flatMap((app) => [app.id, app.testApp.id]));
}

async function checkKeys(actor, organization, own) {
    const listed = await all(actor, "/app-keys", "keys");
    const alive = [...livingHot(organization).flatMap((life) => life.keys), ...organization.pool.key.filter((life) => !life.dead).map((life) => life.made),
                   ...own.flatMap((app) => app.sides.flatMap((side) => [...side.keys.values()]))];
    actor.equal(listed.map((k) => k.id).sort(), [...organization.firstKeys, ...alive.map((k) => k.id)].sort());
    actor.equal((await all(actor, "/admin-keys", "keys")).map((k) => k.id).sort(), [...organization.adminKeys.keys()].sort());
    const dead = [...organization.deadKeys, ...organization.pool.key.filter((life) => life.dead).map((life) => life.made.key),
                  ...[...organization.hot.values()].flat().filter((life) => life.dead).flatMap((life) => life.keys.map((k) => k.key))];
    await inParallel(alive, (k, by) => by.want(200, "GET", "/v1/webhooks", { key: k.key }));
    await inParallel(dead, (key, by) => by.want(401, "GET", "/v1/webhooks", { key }));
}

async function checkNumbers(actor, organization, apps) {
    const listed = await all(actor, "/phone-numbers", "phoneNumbers");
    const want = organization.drawn.map(({ id, life }) => [id, life.dead ? [] : [life.app.testApp.id]]);
    for (const one of actors.filter((a) => a.org === organization)) for (const number of one.numbers.values()) want.push([number.id, number.holders.map((side) => side.id)]);
    for (const number of organization.toggles) {
        const sums = organization.places.map((place) => organization.toggled.get(`${number} ${place}`));
        if (sums.some((sum) => sum !== 0 && sum !== 1)) throw new Broken(`${sums} of assignments less removals`, number);
        want.push([number, organization.places.filter((_, i) => sums[i])]);
    }
    const at = { start: performance.now(), end: performance.now() };
    for (const { id, apps: register } of organization.sets) {
        const has = listed.find((n) => n.phoneNumberId === id).apps.map((a) => a.appId).sort();
        register.read(has.join(), at);
        want.push([id, has]);
    }
    for (const life of organization.pool.number.filter((l) => !l.dead)) want.push([life.made.id, [organization.places[1]]]);
    const sorted = (rows) => byId(rows.map(([id, ids]) => [id, [...ids].sort()]));
    actor.equal(sorted(listed.map((n) => [n.phoneNumberId, n.apps.map((a) => a.appId)])), sorted(want));
    for (const { phoneNumberId, apps: holders } of listed) for (const { appId } of holders) if (!apps.has(appId)) throw new Broken("assigned to an app that is gone", phoneNumberId, appId);
    // from the apps' side it is the same
    for (const place of organization.places) {
        const own = (await actor.admin(200, "GET", `/apps/${place}/phone-numbers?limit=100`)).json;
        actor.equal([own.totalCount, own.phoneNumbers.map((n) => n.phoneNumberId).sort()],
                    [own.phoneNumbers.length, listed.filter((n) => n.apps.some((a) => a.appId === place)).map((n) => n.phoneNumberId).sort()], place);
    }
    for (const kind of ["", "whatsapp/"]) {
        const users = (await actor.admin(200, "GET", `/playground/${kind}phone-numbers/user`)).json.phoneNumbers.map((n) => n.number);
        if (users.length < 100) for (const number of organization.users[kind]) if (!users.includes(number)) throw new Broken(`${number} was drawn and is not listed`); // at most 100 are
        actor.equal(new Set(users).size, users.length);
    }
}

async function checkLogs(actor, organization, own) {
    const sides = [...own.flatMap((app) => app.sides), ...organization.gone];
    for (const channel of ["sms", "whatsapp"]) {
        const want = sides.reduce((sum, side) => sum + side.log[channel][0] + side.log[channel][1], organization.log[channel]);
        actor.equal((await log(actor, channel)).length, want, channel);
    }
    const lives = [...organization.hot.values()].flat().filter((life) => life.app);
    for (const life of lives.filter((l) => l.sms)) actor.equal((await actor.admin(200, "GET", `/sms/messages?appId=${life.app.testApp.id}&limit=1`)).json.totalCount, life.sms, ...life.ids);
    await inParallel(sides, async (side, by) => {
        for (const channel of ["sms", "whatsapp"])
            by.equal((await by.admin(200, "GET", `/${channel}/messages?appId=${side.id}&limit=1`)).json.totalCount, side.log[channel][0] + side.log[channel][1], side.id);
    }, organization);
}

/** Every message has come to its end, and was counted. */
async function checkStats(organization, own) {
    await inParallel(own.flatMap((app) => app.sides), async (side, by) => {
        const want = [side.sent, side.delivered, side.failed, side.received];
        let got;
        for (let i = 0; i < 600; i++) {
            const { json } = await by.want(200, "GET", `/v1/organization/stats?appId=${side.id}`, { key: organization.admin });
            got = [json.messagesSent, json.messagesDelivered, json.messagesFailed, json.messagesReceived];
            if (got.join() === want.join()) return;
            await sleep(50);
        }
        by.equal(got, want, side.id);
    }, organization);
}

/** `work` on each, by all clients (of an organization). */
async function inParallel(list, work, organization) {
    const left = [...list];
    await Promise.all(actors.filter((a) => !organization || a.org === organization).map(async (actor) => {
        while (left.length) await work(left.pop(), actor);
    }));
}

async function checkAll() {
    for (const organization of organizations) {
        const own = actors.filter((a) => a.org === organization).flatMap((a) => a.apps);
        const actor = actors.find((a) => a.org === organization);
        await checkStats(organization, own);
        const apps = await checkApps(actor, organization, own);
        await checkKeys(actor, organization, own);
        await checkNumbers(actor, organization, apps);
        await checkLogs(actor, organization, own);
        await inParallel(own.flatMap((app) => app.sides), async (side, by) => {
            for (const view of views) await view(by, side);
        }, organization);
    }
}

/* ---- tests ---- */

test("what overlapping requests may have seen", () => {
    const life = new Life(0, []);
    life.born.end = 1;
    life.deaths.push({ start: 10, end: 20, won: true });
    const at = (start, end) => ({ start, end });
    assert.deepEqual([at(2, 9), at(2, 12), at(12, 15), at(21, 22)].map((a) => [life.mayLive(a), life.mustLive(a), life.mayBeDead(a)]),
                     [[true, true, false], [true, false, true], [true, false, true], [false, false, true]]);
    const answer = (status, start, end) => ({ status, raw: "", ...at(start, end) });
    assert.throws(() => life.answered(answer(200, 21, 22), 200, 404, "x"), Broken);
    assert.throws(() => life.answered(answer(404, 2, 9), 200, 404, "x"), Broken);
    const register = new Register("a");
    register.writes.push({ start: 10, end: 20, value: "b" }, { start: 30, end: 40, value: "c" });
    register.read("a", at(5, 15));
    register.read("b", at(25, 35));
    register.read("c", at(41, 42));
    for (const [value, when] of [["a", at(21, 25)], ["b", at(41, 42)], ["c", at(21, 25)], ["d", at(0, 50)]]) assert.throws(() => register.read(value, when), Broken);
});

test("a life that is ended twice is found", async () => {
    const life = new Life(0, []);
    life.born.end = 1;
    const answer = (status) => async () => ({ status, end: performance.now() });
    await assert.rejects(life.end(answer(404)), /nobody else/);
    await life.end(answer(200));
    await life.end(answer(404));
    await assert.rejects(life.end(answer(200)), /twice/);
});

test(`${count} random operations of ${clients} clients, AVIARY_SEED=${seed}`, { timeout: Math.max(600000, 30 * count) }, (t) => told(async () => {
    const began = performance.now();
    for (let i = 0; i < rounds; i++) {
        await round(Math.ceil(count / rounds));
        await checkAll();
    }
    const done = operations.map(([, name]) => [name, actors.reduce((sum, actor) => sum + (actor.done.get(name) ?? 0), 0)]);
    t.diagnostic(`seed ${seed}: ${story.lines.length} requests in ${Math.round((performance.now() - began) / 1000)} s: ${done.map(([name, n]) => `${name} ${n}`).join(", ")}`);
    sound = true;
    if (count >= 5000) for (const [name, n] of done) assert.ok(n > 0, `${name} was never done`);
}));

test("a model that differs is found", () => told(async () => {
    assert.ok(sound);
    const actor = actors.find((one) => one.apps.some((app) => app.live.keys.size));
    const side = actor.apps.find((app) => app.live.keys.size).live;
    const [id, made] = [...side.keys][0];
    side.keys.delete(id);
    await assert.rejects(checkAll(), Broken);
    side.keys.set(id, made);
    side.log.sms[0]++;
    await assert.rejects(checkAll(), Broken);
    side.log.sms[0]--;
    await checkAll();
}));

test("the house saw nothing wrong", async () => {
    await house.stop();
    assert.equal(house.child.exitCode, 0);
    assert.doesNotMatch(house.log, /ERROR: \w+Sanitizer|runtime error:|Assertion `|assertion .* failed/i);
});
