# with_aiohttp.py URL KEY USER-AGENT BODY CONCURRENCY COUNT: votes with aiohttp.
import asyncio
import json
import sys

import aiohttp

url, key, agent, body, concurrency, count = sys.argv[1:]
concurrency, count, fields = int(concurrency), int(count), json.loads(body)
headers = {"X-CEKURA-API-KEY": key, "Accept": "application/json", "User-Agent": agent,
           "Content-Type": "application/json"}


async def main():
    numbers = iter(range(count))
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:

        async def worker():
            for _ in numbers:
                text = json.dumps(fields, separators=(",", ":"))
                async with session.post(url, data=text) as response:
                    await response.json()

        await asyncio.gather(*(worker() for _ in range(concurrency)))


asyncio.run(main())
