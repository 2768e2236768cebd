#!/usr/bin/env python3
"""One camera on the line, in Python: line.py SERIAL [BATCH]

Needs: Python 3.8 or later, botocore (it comes with boto3), openssl. From the environment: FIRSTLIGHT_API (the API's URL), and AWS region
and keys wherever boto3 finds them. The keys need the stack's managed policy for factories.
Leaves SERIAL/private.key, SERIAL/certificate.pem and SERIAL/connection.json. Run again, it gives the same again.
"""

import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time
import urllib.error
import urllib.request

import botocore.auth
import botocore.awsrequest
import botocore.session

session = botocore.session.get_session()
API = os.environ["FIRSTLIGHT_API"].rstrip("/")
REGION = session.get_config_variable("region") or os.environ["AWS_REGION"]
TRIES = 8


def post(path, body):
    """Posts it, signed. After 429 or 503, or with no answer, it asks again: every call is safe to repeat."""
    data = json.dumps(body).encode()
    for attempt in range(TRIES):
        request = botocore.awsrequest.AWSRequest("POST", API + path, {"content-type": "application/json"}, data)
        # The present keys and the present time: both may have ended between two tries.
        botocore.auth.SigV4Auth(session.get_credentials(), "execute-api", REGION).add_auth(request)
        wait = random.uniform(0, 0.25 * 2**attempt)
        try:
            sent = urllib.request.Request(API + path, data, dict(request.headers), method="POST")
            with urllib.request.urlopen(sent, timeout=40) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 500, 502, 503, 504) or attempt == TRIES - 1:
                problem = json.loads(error.read() or b"{}")
                sys.exit(f"line.py: POST {path}: {error.code} {problem.get('detail') or problem.get('message')}")
            wait += float(error.headers.get("retry-after") or 0)
        except (urllib.error.URLError, TimeoutError) as error:
            if attempt == TRIES - 1:
                sys.exit(f"line.py: POST {path}: {error}")
        time.sleep(wait)


def openssl(*arguments):
    return subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def main(serial, batch=None):
    folder = pathlib.Path(serial)
    folder.mkdir(exist_ok=True)

    # The camera's own key. It never leaves this folder: Firstlight sees its public half, and pins it.
    key = folder / "private.key"
    if not key.exists():
        made = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
        with open(os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(made)
    pin = hashlib.sha256(openssl("pkey", "-in", str(key), "-pubout", "-outform", "DER")).hexdigest()

    # Announce it. A verdict a row: created, updated, unchanged or rejected.
    row = {"serialNumber": serial, "publicKeySha256": pin, **({"batch": batch} if batch else {})}
    verdict = post("/devices", {"devices": [row]})["results"][0]
    if verdict["outcome"] == "rejected":
        sys.exit(f"line.py: {serial} is rejected: {verdict['problem']['detail']}")
    print(verdict["outcome"], file=sys.stderr)

    # Make it: certificate, thing, stream.
    csr = openssl("req", "-new", "-key", str(key), "-subj", f"/CN={serial}").decode()
    connection = post(f"/devices/{serial}/provision", {"certificateSigningRequest": csr})
    (folder / "connection.json").write_text(json.dumps(connection, indent=2))
    (folder / "certificate.pem").write_text(connection["certificatePem"])
    print(f"{serial} streams to {connection['connection']['streamName']}")


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(*sys.argv[1:])
