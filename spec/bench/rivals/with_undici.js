// with_undici.js URL KEY USER-AGENT BODY CONCURRENCY COUNT: votes with undici.
"use strict";
const { Pool } = require("undici");

const [address, key, agent, body, concurrency, count] = process.argv.slice(2);
const url = new URL(address);
const fields = JSON.parse(body);
const pool = new Pool(url.origin, { connections: Number(concurrency) });
const headers = {
  "X-CEKURA-API-KEY": key, "Content-Type": "application/json", Accept: "application/json",
  "User-Agent": agent,
};
let left = Number(count);

async function worker() {
  while (left-- > 0) {
    const response = await pool.request({
      path: url.pathname, method: "POST", headers, body: JSON.stringify(fields),
    });
    if (response.statusCode !== 200) throw new Error(`status ${response.statusCode}`);
    await response.body.json();
  }
}

Promise.all(Array.from({ length: Number(concurrency) }, worker)).then(() => pool.close());
