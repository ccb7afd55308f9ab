"""Invokes functions through the endpoint with boto3 and with the AWS command line.

    python lambda.py http://127.0.0.1:PORT

The functions are those that tests/it/lambda/clients.rs deploys. Each case looks at the client's own exceptions and
fields. Retries are off, as they would hide what was answered first.
"""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ENDPOINT = sys.argv[1]
REGION = "us-east-1"
ARN = f"arn:aws:lambda:{REGION}:123456789012:function:"
MIB = 1 << 20
# Longer than anything here takes, so that a case that hangs says where.
PATIENCE = 60

os.environ.update(
    AWS_ACCESS_KEY_ID="dummy",
    AWS_SECRET_ACCESS_KEY="dummy",
    AWS_DEFAULT_REGION=REGION,
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    AWS_EC2_METADATA_DISABLED="true",
    AWS_MAX_ATTEMPTS="1",
    NO_PROXY="*",
)

client = boto3.client(
    "lambda",
    endpoint_url=ENDPOINT,
    config=Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE, max_pool_connections=4),
)


def invoke(name, payload=None, **more):
    """Invokes with boto3; the payload comes back read."""
    if payload is not None:
        more["Payload"] = payload if isinstance(payload, (bytes, str)) else json.dumps(payload)
    answer = client.invoke(FunctionName=name, **more)
    answer["Payload"] = answer["Payload"].read()
    return answer


def value(answer):
    assert "FunctionError" not in answer, answer
    assert answer["StatusCode"] == 200, answer
    return json.loads(answer["Payload"])


def refused(exception, act):
    """Expects the client's own exception and returns what it holds."""
    try:
        answer = act()
    except exception as error:
        return error.response
    raise AssertionError(f"no {exception.__name__}: {answer}")


def ask(function):
    return value(invoke(function))


def until(what, condition):
    """Asks again and again; each question is a whole invocation."""
    for _ in range(100_000):
        if condition():
            return
    raise AssertionError(f"never: {what}")


def defect(answer, error_type, pattern):
    """Expects a function error of a type, with a message that has the pattern."""
    assert answer["StatusCode"] == 200, answer
    body = answer["Payload"]
    body = json.loads(body) if isinstance(body, bytes) else body
    assert set(body) == {"errorMessage", "errorType", "stackTrace"}, body
    assert body["errorType"] == error_type, body
    assert re.search(pattern, body["errorMessage"]), body
    return answer["FunctionError"]


# With boto3.


def success():
    answer = invoke("describe", {"name": "Ada"})
    seen = value(answer)
    assert seen["body"] == {"name": "Ada"}, seen
    assert (seen["type"], seen["contentType"]) == ("aws.lambda.invoke", "application/json"), seen
    meta = answer["ResponseMetadata"]
    assert re.fullmatch("[0-9a-f-]{36}", meta["RequestId"]), meta
    assert seen["requestId"] == seen["id"] == meta["RequestId"], (seen, meta)
    assert (answer["ExecutedVersion"], "LogResult" in answer) == ("1", False), answer


def guest_success():
    assert value(invoke("echo", {"body": "ü" * 1000})) == {"body": "ü" * 1000}


def no_payload():
    assert value(invoke("describe"))["body"] == {}


def function_error():
    answer = invoke("sold-out", {})
    assert defect(answer, "OutOfStock", '^no more "tea"$') == "Handled"
    assert answer["ExecutedVersion"] == "1", answer


def crash():
    assert defect(invoke("crash", {}), "Runtime.ExitError", "Runtime exited with error: .*unreachable") == "Unhandled"


def exit_code():
    assert defect(invoke("exits", {}), "Runtime.ExitError", "exit status 3$") == "Unhandled"


def time_out():
    assert defect(invoke("spin", {}), "Sandbox.Timedout", r"Task timed out after 0\.20 seconds$") == "Unhandled"


def out_of_memory():
    defect(invoke("greedy", {}), "Runtime.OutOfMemory", "memory exceeded")


def large_answer():
    defect(invoke("large", {}), "Function.ResponseSizeTooLarge", "Response payload size exceeded")


def throttle():
    answers = []
    holder = threading.Thread(target=lambda: answers.append(invoke("held", "null")))
    holder.start()
    until("one holds", lambda: ask("held-count") == 1)
    try:
        error = refused(client.exceptions.TooManyRequestsException, lambda: invoke("held", "null"))
    finally:
        ask("release")
        holder.join()
    assert "FunctionError" not in answers[0], answers
    assert error["Reason"] == "ReservedFunctionConcurrentInvocationLimitExceeded", error
    assert (error["retryAfterSeconds"], error["Type"]) == ("1", "User"), error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 429, error


def missing():
    not_found = client.exceptions.ResourceNotFoundException
    for name, more in [("nobody", {}), ("echo:9", {}), ("echo", {"Qualifier": "live"}), (ARN + "nobody", {})]:
        for kind in ["RequestResponse", "Event", "DryRun"]:
            error = refused(not_found, lambda: invoke(name, {}, InvocationType=kind, **more))
            assert error["Message"].startswith("Function not found: "), error


def oversize():
    too_large = client.exceptions.RequestTooLargeException
    quoted = lambda size: '"' + "x" * (size - 2) + '"'
    assert len(value(invoke("echo", quoted(6 * MIB)))) == 6 * MIB - 2
    for size, kind in [(6 * MIB + 1, "RequestResponse"), (30 * MIB, "DryRun"), (MIB + 1, "Event")]:
        error = refused(too_large, lambda: invoke("echo", quoted(size), InvocationType=kind))
        assert error["ResponseMetadata"]["HTTPStatusCode"] == 413, error
    # The connection serves on.
    assert value(invoke("echo", 7)) == 7


def not_json():
    error = refused(client.exceptions.InvalidRequestContentException, lambda: invoke("echo", "hello"))
    assert "Could not parse request body into json" in error["message"], error


def dry_run():
    before = ask("notes")
    answer = invoke("note", '"dry"', InvocationType="DryRun")
    assert (answer["StatusCode"], answer["Payload"]) == (204, b""), answer
    assert ask("notes") == before


def event():
    answer = invoke("note", '"from boto3"', InvocationType="Event")
    assert (answer["StatusCode"], answer["Payload"]) == (202, b""), answer
    assert "FunctionError" not in answer, answer
    until("the event was handled", lambda: '"from boto3"' in ask("notes"))


def lines_of_log(log):
    tail = base64.b64decode(log)
    assert len(tail) <= 4096, len(tail)
    return tail.decode().splitlines()


def check_report(line, request_id):
    pattern = (
        rf"REPORT RequestId: {request_id}\tDuration: \d+\.\d\d ms\tBilled Duration: \d+ ms"
        r"\tMemory Size: 128 MB\tMax Memory Used: \d+ MB(\tInit Duration: \d+\.\d\d ms)?"
    )
    assert re.fullmatch(pattern, line), line


def log_tail():
    answer = invoke("exits", {}, LogType="Tail")
    request_id = answer["ResponseMetadata"]["RequestId"]
    start, text, end, report = lines_of_log(answer["LogResult"])
    assert (start, end) == (f"START RequestId: {request_id} Version: 1", f"END RequestId: {request_id}")
    assert text == "about to fail", text
    check_report(report, request_id)
    flood = lines_of_log(invoke("flood", {}, LogType="Tail")["LogResult"])
    assert flood[0] and set(flood[0]) == {"e"} and flood[-1].startswith("REPORT "), flood


def qualifiers():
    versions = {
        "numbered": "2",
        "numbered:1": "1",
        "numbered:$LATEST": "2",
        ARN + "numbered": "2",
        ARN + "numbered:1": "1",
        "123456789012:function:numbered:1": "1",
    }
    for name, version in versions.items():
        answer = invoke(name, {})
        assert (answer["ExecutedVersion"], value(answer)) == (version, int(version)), (name, answer)
    for qualifier, version in [("1", "1"), ("2", "2"), ("$LATEST", "2")]:
        assert invoke("numbered", {}, Qualifier=qualifier)["ExecutedVersion"] == version
    invalid = client.exceptions.InvalidParameterValueException
    refused(invalid, lambda: invoke("numbered:1", {}, Qualifier="2"))


def context():
    encoded = base64.b64encode(b'{"custom":{"color":"blue"}}').decode()
    seen = value(invoke("describe", {}, ClientContext=encoded, TenantId="acme/7"))
    assert seen["tenant"] == "acme/7", seen
    assert json.loads(seen["clientContext"]) == {"custom": {"color": "blue"}}, seen
    assert value(invoke("describe", {}))["tenant"] is None
    wrong = client.exceptions.InvalidRequestContentException
    refused(wrong, lambda: invoke("describe", {}, ClientContext="***"))
    refused(client.exceptions.InvalidParameterValueException, lambda: invoke("describe", {}, TenantId="a,b"))


def trace():
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    add = lambda params, **_: params["headers"].update({"X-Amzn-Trace-Id": header})
    client.meta.events.register("before-call.lambda.Invoke", add)
    try:
        seen = value(invoke("describe", {}))
    finally:
        client.meta.events.unregister("before-call.lambda.Invoke", add)
    assert seen["traceparent"] == "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01", seen


def stream(name, **more):
    """Reads a streamed answer: the head, the payload, and the event that ends it."""
    answer = client.invoke_with_response_stream(FunctionName=name, Payload="{}", **more)
    events = list(answer["EventStream"])
    assert [list(event) for event in events[:-1]] == [["PayloadChunk"]] * (len(events) - 1), events[-1]
    payload = b"".join(event["PayloadChunk"]["Payload"] for event in events[:-1])
    return answer, payload, events[-1]["InvokeComplete"]


def streaming():
    answer, payload, complete = stream("stream", LogType="Tail")
    assert payload == b"x" * (40 * 65536), len(payload)
    assert (answer["StatusCode"], answer["ExecutedVersion"]) == (200, "1"), answer
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream", answer
    assert set(complete) == {"LogResult"}, complete
    check_report(lines_of_log(complete["LogResult"])[-1], answer["ResponseMetadata"]["RequestId"])


def streaming_of_a_whole_answer():
    _, payload, complete = stream("describe")
    assert json.loads(payload)["body"] == {} and complete == {}, complete


def streaming_that_fails():
    for name, code, some in [
        ("stream-on", "Function.ResponseSizeTooLarge", True),
        ("spin", "Sandbox.Timedout", False),
        ("sold-out", "OutOfStock", False),
    ]:
        _, payload, complete = stream(name)
        assert bool(payload) == some and complete["ErrorCode"] == code, (name, len(payload), complete)
        assert json.loads(complete["ErrorDetails"])["errorType"] == code, complete
    refused(client.exceptions.ResourceNotFoundException, lambda: stream("nobody"))


def unknown_operation():
    error = refused(ClientError, lambda: client.list_functions())
    assert error["Error"]["Code"] == "UnknownOperationException", error
    assert error["ResponseMetadata"]["HTTPStatusCode"] == 404, error


# With the command line.


def aws(name, payload="{}", *more):
    """Invokes with the command line: its exit code, what it says, and the payload."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder, "in.json"), Path(folder, "out.json")
        given.write_text(payload)
        command = [Path(sys.executable).with_name("aws"), "lambda", "invoke", "--endpoint-url", ENDPOINT]
        command += ["--function-name", name, "--payload", f"file://{given}", *more, out]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        body = out.read_bytes() if out.exists() else b""
    said = json.loads(done.stdout) if done.returncode == 0 else done.stderr
    return done.returncode, said, body


def aws_answer(name, payload="{}", *more):
    code, said, body = aws(name, payload, *more)
    assert code == 0, said
    return {**said, "Payload": body}


def aws_refused(error, *given):
    code, said, _ = aws(*given)
    assert code != 0 and f"({error}) when calling the Invoke operation" in said, (code, said)


def cli_success():
    answer = aws_answer("describe", '{"name": "Ada"}')
    assert value(answer)["body"] == {"name": "Ada"}, answer
    assert answer["ExecutedVersion"] == "1", answer


def cli_function_error():
    assert defect(aws_answer("sold-out"), "OutOfStock", "no more") == "Handled"


def cli_crash():
    assert defect(aws_answer("crash"), "Runtime.ExitError", "unreachable") == "Unhandled"


def cli_time_out():
    assert defect(aws_answer("spin"), "Sandbox.Timedout", "Task timed out after 0.20 seconds") == "Unhandled"


def cli_throttle():
    aws_refused("TooManyRequestsException", "shut")


def cli_missing():
    aws_refused("ResourceNotFoundException", "nobody")


def cli_oversize():
    aws_refused("RequestTooLargeException", "echo", '"' + "x" * 6 * MIB + '"')


def cli_dry_run():
    answer = aws_answer("note", '"dry"', "--invocation-type", "DryRun")
    assert answer["StatusCode"] == 204 and '"dry"' not in ask("notes"), answer


def cli_event():
    answer = aws_answer("note", '"from aws"', "--invocation-type", "Event")
    assert answer["StatusCode"] == 202, answer
    until("the event was handled", lambda: '"from aws"' in ask("notes"))


def cli_log_tail():
    answer = aws_answer("exits", "{}", "--log-type", "Tail")
    start, text, _, _ = lines_of_log(answer["LogResult"])
    assert start.endswith("Version: 1") and text == "about to fail", (start, text)


def cli_qualifier():
    assert aws_answer("numbered", "{}", "--qualifier", "1")["ExecutedVersion"] == "1"
    assert aws_answer(ARN + "numbered")["ExecutedVersion"] == "2"


def cli_tenant():
    answer = aws_answer("describe", "{}", "--tenant-id", "acme")
    assert value(answer)["tenant"] == "acme", answer


BOTO3 = [
    success,
    guest_success,
    no_payload,
    function_error,
    crash,
    exit_code,
    time_out,
    out_of_memory,
    large_answer,
    throttle,
    missing,
    oversize,
    not_json,
    dry_run,
    event,
    log_tail,
    qualifiers,
    context,
    trace,
    streaming,
    streaming_of_a_whole_answer,
    streaming_that_fails,
    unknown_operation,
]
AWS = [
    cli_success,
    cli_function_error,
    cli_crash,
    cli_time_out,
    cli_throttle,
    cli_missing,
    cli_oversize,
    cli_dry_run,
    cli_event,
    cli_log_tail,
    cli_qualifier,
    cli_tenant,
]


def run(case):
    try:
        case()
    except Exception as error:
        print(f"{case.__name__} FAILED: {type(error).__name__}: {str(error)[:2000]}", flush=True)
        return False
    print(f"{case.__name__} ok", flush=True)
    return True


def main():
    passed = [run(case) for case in BOTO3]
    # The command line takes a second to start, so several do at once.
    with ThreadPoolExecutor(4) as pool:
        passed += pool.map(run, AWS)
    print(f"{sum(passed)} of {len(passed)} cases passed")
    sys.exit(not all(passed))


main()
