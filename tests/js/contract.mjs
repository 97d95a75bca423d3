// contract.mjs - a running house whose answers are held against the document that it serves.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { House } from "./house.mjs";
const require = createRequire(new URL("../package.json", import.meta.url));
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

export const methods = ["get", "post", "put", "patch", "delete"];
/** A KSUID that nobody has. */
export const ghost = "2DbBs7GWhGvVNJGrDXr5RG0mBWI";
export const errorOf = (json) => [json.error.type, json.error.code, json.error.param];

export class Contract {
    static async start(...flags) {
        const contract = new Contract();
        contract.house = await House.start("--rate-limits", "off", "--loopback-delay", "10", ...flags);
        contract.document = (await contract.house.request("GET", "/openapi.json")).json;
        contract.ajv = new Ajv({ strict: false });
        addFormats(contract.ajv);
        contract.ajv.addSchema(contract.document, "doc");
        contract.seen = new Map();
        contract.key = contract.house.testKey;
        return contract;
    }

    stop() {
        return this.house.stop();
    }

    /** The document's path and operation for a request; literal paths before those with parameters. */
    operation(method, path) {
        const bare = path.split("?")[0];
        const templates = Object.entries(this.document.paths).sort(([a], [b]) => a.split("{").length - b.split("{").length);
        for (const [template, item] of templates) {
            const pattern = new RegExp(`^${template.replace(/\{[^}]+\}/g, "[^/]+")}$`);
            if (pattern.test(bare) && item[method.toLowerCase()]) return [template, method.toLowerCase()];
        }
        throw new Error(`${method} ${path} is not in the document`);
    }

    /** Ask (with the test key unless the options say otherwise), and hold the answer against the document. */
    async call(want, method, path, options = {}) {
        const answer = await this.house.request(method, path, { key: this.key, ...options });
        const [template, verb] = this.operation(method, path);
        const responses = this.document.paths[template][verb].responses;
        const name = String(answer.status) in responses ? String(answer.status) : "default";
        assert.equal(answer.status, want, `${method} ${path}: ${answer.raw}`);
        const escaped = template.replaceAll("~", "~0").replaceAll("/", "~1");
        let pointer = `doc#/paths/${escaped}/${verb}/responses/${name}`;
        if (responses[name].$ref) pointer = `doc${responses[name].$ref}`;
        const validate = this.ajv.getSchema(`${encodeURI(pointer)}/content/application~1json/schema`);
        assert.ok(validate, `${pointer} has no schema`);
        assert.ok(validate(answer.json), `${method} ${path} ${answer.status}: ${JSON.stringify(validate.errors)} in ${answer.raw}`);
        assert.match(answer.headers.get("content-type"), /^application\/json/);
        assert.ok(answer.headers.get("x-request-id"));
        if (answer.status >= 400) assert.ok(answer.json.error.message.length > 0);
        const key = `${verb} ${template}`;
        this.seen.set(key, (this.seen.get(key) ?? new Set()).add(answer.status));
        return answer.json;
    }

    /** Every operation of these paths must have been asked, with success and with failure. */
    assertAllAsked(isOurs) {
        for (const [path, item] of Object.entries(this.document.paths).filter(([p]) => isOurs(p)))
            for (const method of Object.keys(item).filter((m) => methods.includes(m))) {
                const statuses = this.seen.get(`${method} ${path}`);
                assert.ok(statuses, `${method} ${path} was never asked`);
                assert.ok([...statuses].some((s) => s < 300), `${method} ${path} never succeeded`);
                assert.ok([...statuses].some((s) => s >= 400), `${method} ${path} never failed`);
            }
    }

    /** Every status that the document gives an operation of these paths must have been seen, but for 429 (told for all by a test of its own) and those named. */
    assertAllStatuses(isOurs, except = {}) {
        for (const [path, item] of Object.entries(this.document.paths).filter(([p]) => isOurs(p)))
            for (const method of Object.keys(item).filter((m) => methods.includes(m)))
                for (const status of Object.keys(item[method].responses).filter((s) => /^\d+$/.test(s) && s !== "429")) {
                    const name = `${method} ${path}`;
                    if (except[name]?.includes(Number(status))) continue;
                    assert.ok(this.seen.get(name)?.has(Number(status)), `${name} never answered ${status}`);
                }
    }
}
