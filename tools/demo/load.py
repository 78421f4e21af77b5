# SPDX-License-Identifier: GPL-2.0-or-later
"""load.py PORT: customers of the demo's shop, about a hundred a second, until they are stopped."""

import http.client
import sys
import time

shop = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
while True:
    for path in ("/login", "/page", "/page", "/logout"):
        shop.request("GET", path)
        shop.getresponse().read()
    time.sleep(0.01)
