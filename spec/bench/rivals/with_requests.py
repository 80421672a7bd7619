# with_requests.py URL KEY USER-AGENT BODY CONCURRENCY COUNT: votes with requests, in threads.
import json
import sys
from concurrent.futures import ThreadPoolExecutor

import requests
from requests.adapters import HTTPAdapter

url, key, agent, body, concurrency, count = sys.argv[1:]
concurrency, count, fields = int(concurrency), int(count), json.loads(body)
session = requests.Session()
session.mount("http://", HTTPAdapter(pool_maxsize=concurrency))
session.headers.update({"X-CEKURA-API-KEY": key, "Accept": "application/json", "User-Agent": agent,
                        "Content-Type": "application/json"})


def vote(_):
    text = json.dumps(fields, separators=(",", ":"))
    response = session.post(url, data=text)
    response.raise_for_status()
    return response.json()


if concurrency == 1:
    for i in range(count):
        vote(i)
else:
    with ThreadPoolExecutor(concurrency) as pool:
        for _ in pool.map(vote, range(count)):
            pass
