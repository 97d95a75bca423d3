// facts.mjs SPEC_FOLDER SERVED.json [kirim]: print the facts of the outside contract that this project serves, as JSON: which operations exist with which parameters, statuses,
// request and response fields, types, enums and required names, and the same of the webhook events. Run by hand when more is served; tests/js/superset.test.mjs
// holds the served document against the result (chirp.facts.json; with the word kirim, from /kirim/v1/openapi.json, kirim.facts.json).
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createRequire } from "node:module";
const { parse } = createRequire(new URL("../package.json", import.meta.url))("yaml");

const kirim = process.argv[4] === "kirim";
const folder = join(process.argv[2], kirim ? "kirim" : "chirp");
const deepest = kirim ? 12 : 6;
const keep = ["type", "enum", "const", "required", "minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "anyOf"];

function resolve(root, node) {
    while (node && node.$ref)
        node = node.$ref.slice(2).split("/").reduce((at, key) => at[key], root);
    return node;
}

function facts(root, node, depth = 0) {
    node = resolve(root, node);
    if (!node || depth > deepest) return {};
    const out = {};
    for (const key of keep)
        if (key in node && !(key === "anyOf" && kirim) && !(key === "anyOf" && node.anyOf.some((x) => !x.required))) out[key] = node[key];
    if (node.anyOf && node.anyOf.some((x) => x.type === "null" || x.$ref)) out.variants = node.anyOf.map((x) => facts(root, x, depth + 1));
    if (kirim && (node.anyOf ?? node.oneOf)) out.variants = (node.anyOf ?? node.oneOf).map((x) => facts(root, x, depth + 1));
    if (node.properties) out.properties = Object.fromEntries(Object.entries(node.properties).map(([k, v]) => [k, facts(root, v, depth + 1)]));
    if (node.items) out.items = facts(root, node.items, depth + 1);
    if (node.allOf) for (const part of node.allOf) if (!part.if) Object.assign(out, facts(root, part, depth + 1), out);
    return out;
}

function body(root, content) {
    return facts(root, content?.["application/json"]?.schema);
}

const served = JSON.parse(readFileSync(join(process.argv[3])));
const operations = {};
for (const file of readdirSync(folder).filter((f) => f.endsWith(".yaml") && f !== "events.yaml")) {
    const root = parse(readFileSync(join(folder, file), "utf8"));
    for (const [path, item] of Object.entries(root.paths ?? {}))
        for (const method of ["get", "post", "put", "patch", "delete"]) {
            const op = item[method];
            if (!op || !served.paths[path]?.[method]) continue;
            const parameters = [...(item.parameters ?? []), ...(op.parameters ?? [])].map((p) => resolve(root, p));
            operations[`${method} ${path}`] = {
                operationId: op.operationId,
                parameters: parameters.map((p) => ({ name: p.name, in: p.in, required: Boolean(p.required), schema: facts(root, p.schema) })),
                request: body(root, op.requestBody?.content),
                responses: Object.fromEntries(Object.entries(op.responses).map(([s, r]) => [s, body(root, resolve(root, r).content)])),
            };
        }
}
const events = {};
const root = kirim ? { events: [] } : parse(readFileSync(join(folder, "events.yaml"), "utf8"));
for (const event of root.events)
    if (served.webhooks?.[event.name]) events[event.name] = facts(root, event.payload);
const lines = (o) => Object.entries(o).map(([k, v]) => `  ${JSON.stringify(k)}: ${JSON.stringify(v)}`).join(",\n");
console.log(`{\n"operations": {\n${lines(operations)}\n},\n"events": {\n${lines(events)}\n}\n}`);
