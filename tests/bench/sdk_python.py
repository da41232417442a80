"""create -> first command through the Python SDK; prints a JSON list of milliseconds."""

import json
import os
import time

from daytona import Daytona, DaytonaConfig

daytona = Daytona(DaytonaConfig(api_url=os.environ["SEBRING_URL"] + "/api", api_key=os.environ["SEBRING_KEY"]))
times = []
for _ in range(int(os.environ["COUNT"]) + 2):
    start = time.perf_counter()
    sandbox = daytona.create()
    assert sandbox.process.exec("true").exit_code == 0
    times.append((time.perf_counter() - start) * 1000)
    sandbox.delete()
print(json.dumps(times[2:]))
