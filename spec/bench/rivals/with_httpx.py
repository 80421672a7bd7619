# with_httpx.py URL KEY USER-AGENT BODY CONCURRENCY COUNT: votes with httpx.
import asyncio
import json
import sys

import httpx

url, key, agent, body, concurrency, count = sys.argv[1:]
concurrency, count, fields = int(concurrency), int(count), json.loads(body)
headers = {"X-CEKURA-API-KEY": key, "Accept": "application/json", "User-Agent": agent,
           "Content-Type": "application/json"}


def text():
    return json.dumps(fields, separators=(",", ":"))


def result(response):
    response.raise_for_status()
    return response.json()


def in_sequence():
    with httpx.Client(headers=headers) as client:
        for _ in range(count):
            result(client.post(url, content=text()))


async def at_once():
    async with httpx.AsyncClient(headers=headers) as client:
        numbers = iter(range(count))

        async def worker():
            for _ in numbers:
                result(await client.post(url, content=text()))

        await asyncio.gather(*(worker() for _ in range(concurrency)))


if concurrency == 1:
    in_sequence()
else:
    asyncio.run(at_once())
