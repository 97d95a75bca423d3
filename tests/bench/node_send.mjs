// node_send.mjs - what compare.py compares with: fastify and pg accept a send durably, in a transaction of its own (BEGIN, insert, job insert, COMMIT)
// or, with --single, in one statement. Usage: node node_send.mjs SOCKET_FOLDER PORT [--single]; says "ready" and runs until it is killed.
import { randomUUID } from "node:crypto";

import Fastify from "fastify";
import pg from "pg";

const [folder, port, mode] = process.argv.slice(2);
const pool = new pg.Pool({ host: folder, user: "bench", database: "postgres", max: 16 });
const TABLES = `
    CREATE TABLE IF NOT EXISTS message (id uuid PRIMARY KEY, sender text NOT NULL, recipient text NOT NULL, body text NOT NULL,
                                        status text NOT NULL, created timestamptz NOT NULL DEFAULT now());
    CREATE TABLE IF NOT EXISTS job (id bigserial PRIMARY KEY, message uuid NOT NULL, due timestamptz NOT NULL DEFAULT now());
    TRUNCATE message, job;`;
const INSERT = { name: "message", text: "INSERT INTO message (id, sender, recipient, body, status) VALUES ($1, $2, $3, $4, 'queued')" };
const JOB = { name: "job", text: "INSERT INTO job (message) VALUES ($1)" };
const BOTH = {
    name: "both",
    text: `WITH m AS (INSERT INTO message (id, sender, recipient, body, status) VALUES ($1, $2, $3, $4, 'queued') RETURNING id)
           INSERT INTO job (message) SELECT id FROM m`,
};

async function inTransaction(id, { from, to, text }) {
    const client = await pool.connect();
    try {
        await client.query("BEGIN");
        await client.query({ ...INSERT, values: [id, from, to[0], text] });
        await client.query({ ...JOB, values: [id] });
        await client.query("COMMIT");
        client.release();
    } catch (error) {
        client.release(error);
        throw error;
    }
}

const inOneStatement = (id, { from, to, text }) => pool.query({ ...BOTH, values: [id, from, to[0], text] });

const body = {
    type: "object",
    required: ["from", "to", "text"],
    properties: { from: { type: "string" }, to: { type: "array", minItems: 1, items: { type: "string" } }, text: { type: "string", maxLength: 1600 } },
};
await pool.query(TABLES);
const accept = mode === "--single" ? inOneStatement : inTransaction;
const app = Fastify();
app.post("/v1/sms", { schema: { body } }, async (request, reply) => {
    const id = randomUUID();
    await accept(id, request.body);
    return reply.code(201).send({ id, status: "queued" });
});
await app.listen({ host: "127.0.0.1", port: Number(port) });
console.log("ready");
