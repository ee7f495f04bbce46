#!/bin/sh
# Make every capture in this folder anew: `sudo ./record.sh`.
#
# Root is for two things: a host name of its own (unshare --uts), so that no program can put the
# machine's into a capture, and for exim, which insists. The clock is a made-up one (faketime).
# Everything listens on 127.0.0.1, lives in a temporary folder, and is gone at the end.
#
#   PYTHON       a Python with the packages protobuf and python-lsp-server   (default python3)
#   NODE_PATH    where npm put vscode-languageserver-protocol
#   POSTFIX      the usr folder of an unpacked Debian postfix package: postfix and exim cannot be
#                installed side by side                                      (default /usr)
#
# Debian packages: exim4-daemon-light swaks nginx-light curl redis-server redis-tools nodejs
# faketime util-linux postfix. README.md beside this file has the versions that made what is here.
set -eu

if [ "${1:-}" != "--inside" ]; then
    exec unshare --uts -- "$0" --inside
fi
hostname client.example
unset SSH_CLIENT SSH_CONNECTION MAIL MAILTO EMAIL http_proxy https_proxy all_proxy
export TZ=UTC LC_ALL=C.UTF-8 HOME=/nonexistent USER=user LOGNAME=user

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python=${PYTHON:-python3}
postfix=${POSTFIX:-/usr}
work=$(mktemp -d)
chmod 755 "$work"
servers=""
stop() {
    for pid in $servers; do kill "$pid" 2>/dev/null || true; done
    wait
    rm -rf "$work"
}
trap stop EXIT INT TERM

# Not the command `faketime`, which stays in between and would get the signals that end a server.
export FAKETIME='@2025-01-01 12:00:00' FAKETIME_DONT_FAKE_MONOTONIC=1
clock=$(dpkg -L libfaketime | grep '/libfaketime\.so\.1$')

await() { # port: until something listens there, 10 seconds at the most
    "$python" - "$1" <<'PY'
import socket, sys, time
for _ in range(100):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        sys.exit(0)
    except OSError:
        time.sleep(0.1)
sys.exit(f"nothing listens on port {sys.argv[1]}")
PY
}
capture() { "$python" "$here/capture.py" "$@"; }

# --- SMTP: swaks --pipeline to exim --------------------------------------------------------------

mkdir -m 777 "$work/exim"
cat >"$work/exim.conf" <<CONF
primary_hostname = mail.example
spool_directory = $work/exim
log_file_path = $work/exim/%slog
pid_file_path =
smtp_banner = mail.example ESMTP
tls_advertise_hosts =
chunking_advertise_hosts =
pipelining_connect_advertise_hosts =
host_lookup =
rfc1413_query_timeout = 0s
queue_only
acl_smtp_rcpt = check_rcpt
acl_smtp_data = accept
begin acl
check_rcpt:
  deny local_parts = nobody
       message = no such user here
  accept
begin routers
sink:
  driver = redirect
  data = :blackhole:
CONF
chmod 644 "$work/exim.conf"
cat >"$work/message" <<'MESSAGE'
Date: Wed, 01 Jan 2025 12:00:00 +0000
From: Alice <alice@client.example>
To: Bob <bob@mail.example>, Carol <carol@mail.example>
Subject: dots
Message-Id: <20250101120000.1@client.example>

A line with one dot follows; on the wire it is two.
.
.hidden files start with a dot, and
..two dots become three.

QUIT
DATA
These were not commands, and this is a long line: 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789
.
MESSAGE
LD_PRELOAD=$clock exim4 -C "$work/exim.conf" -bdf -oX '<; [127.0.0.1]:46025' 2>"$work/exim.err" &
servers="$servers $!"
await 46025
capture --to 46025 --out "$here/smtp" -- \
    env "LD_PRELOAD=$clock" swaks --server 127.0.0.1 --port '{port}' --helo client.example --pipeline \
    --from alice@client.example --to bob@mail.example,nobody@mail.example,carol@mail.example \
    --data "$work/message" --hide-all

# --- HTTP/1.1: curl to nginx ---------------------------------------------------------------------

mkdir "$work/www"
printf 'Hello, world!\n' >"$work/www/hello.txt"
: >"$work/www/empty.txt"
"$python" -c 'import sys; sys.stdout.buffer.write(bytes(range(256)) * 80 + b"\r\n\r\n" * 16)' \
    >"$work/www/bytes.bin"
printf '<!--#set var="n" value="1" -->one<!--#echo var="n" -->two\n%2000s\n<!--#echo var="n" -->' '' \
    >"$work/www/chunked.shtml"
printf 'a=1\r\n\r\nPOST /not-a-request HTTP/1.1\r\nContent-Length: 5\r\n\r\nb=2' >"$work/form"
touch -d '2025-01-01 00:00:00' "$work"/www/*
cat >"$work/nginx.conf" <<CONF
daemon off; master_process off; pid $work/nginx.pid; error_log $work/nginx.log;
events {}
http {
    access_log off; types { text/plain txt; text/html shtml; }
    client_body_temp_path $work/b; proxy_temp_path $work/p; fastcgi_temp_path $work/f;
    uwsgi_temp_path $work/u; scgi_temp_path $work/s;
    server {
        listen 127.0.0.1:46080;
        root $work/www;
        ssi on;
        location = /nothing { return 204; }
        location = /form { return 200 "thank you\n"; }
        location = /upload { dav_methods PUT; }
        location = /old { return 301 /hello.txt; }
    }
}
CONF
LD_PRELOAD=$clock /usr/sbin/nginx -c "$work/nginx.conf" -e "$work/nginx.log" &
servers="$servers $!"
await 46080
www=http://www.example
set -- -sS -q --http1.1 --connect-to 'www.example:80:127.0.0.1:{port}' -o /dev/null
capture --to 46080 --out "$here/http" -- curl \
    "$@" $www/hello.txt \
    --next "$@" --head $www/hello.txt \
    --next "$@" $www/empty.txt \
    --next "$@" $www/nothing \
    --next "$@" -H 'If-Modified-Since: Wed, 01 Jan 2025 00:00:00 GMT' $www/hello.txt \
    --next "$@" $www/bytes.bin \
    --next "$@" --data-binary "@$work/form" $www/form \
    --next "$@" -H 'Expect: 100-continue' -T "$work/www/hello.txt" $www/upload \
    --next "$@" -H 'Transfer-Encoding: chunked' --data-binary "@$work/www/bytes.bin" $www/form \
    --next "$@" $www/chunked.shtml \
    --next "$@" $www/missing \
    --next "$@" $www/old

# --- RESP: redis-cli, typed commands and --pipe, to redis-server -----------------------------------

# Without COMMAND, which redis-cli asks for 180 kB of documentation before anything else.
redis-server --port 46379 --bind 127.0.0.1 --save '' --appendonly no --dir "$work" \
    --rename-command COMMAND '' --logfile "$work/redis.log" &
servers="$servers $!"
await 46379
"$python" - >"$work/commands" <<'PY'
print("PING")
print(r'SET lines "one\r\ntwo\r\n"')
print("GET lines")
print("GET missing")
print('SET empty ""')
print("GET empty")
print(r'SET looks:like "*2\r\n$3\r\nGET\r\n$5\r\nlines\r\n"')
print("GET looks:like")
print("INCR counter")
print("INCR lines")
print("RPUSH list a b c")
print("LRANGE list 0 -1")
print("LRANGE nothing 0 -1")
print("MGET lines missing empty")
print("MULTI")
print("INCR counter")
print("LRANGE list 0 1")
print("EXEC")
print('SET binary "' + "".join(f"\\x{n:02x}" for n in range(256)) + '"')
print("GET binary")
print("SET large " + "x" * 10000)
print("GET large")
print("NOSUCHCOMMAND")
PY
capture --to 46379 --out "$here/redis" --stdin "$work/commands" -- redis-cli -p '{port}' >/dev/null

"$python" - >"$work/pipe" <<'PY'
import sys
for n in range(200):
    words = (b"RPUSH", b"list:%d" % (n % 7), b"\r\n" * (n % 4), bytes([n, 13, 10, 36]) * (n % 20))
    sys.stdout.buffer.write(b"*%d\r\n" % len(words))
    for word in words:
        sys.stdout.buffer.write(b"$%d\r\n%s\r\n" % (len(word), word))
PY
capture --to 46379 --out "$here/redis-pipe" --stdin "$work/pipe" -- redis-cli -p '{port}' --pipe

# --- Netstrings: postfix' qmqp-source to its qmqp-sink ---------------------------------------------

LD_LIBRARY_PATH=$postfix/lib/postfix
export LD_LIBRARY_PATH
"$postfix/sbin/qmqp-sink" 127.0.0.1:46628 10 &
servers="$servers $!"
await 46628
capture --to 46628 --out "$here/netstring" -- env "LD_PRELOAD=$clock" \
    "$postfix/sbin/qmqp-source" -M client.example -f alice@client.example -t bob@mail.example \
    -l 300 -m 5 '127.0.0.1:{port}'
unset LD_LIBRARY_PATH

# --- Language Server Protocol: vscode-languageserver-protocol to python-lsp-server ------------------

"$python" -m pylsp --tcp --host 127.0.0.1 --port 46007 2>"$work/pylsp.err" &
servers="$servers $!"
cat >"$work/client.js" <<'JS'
const net = require("net");
const lsp = require("vscode-languageserver-protocol/node");
const socket = net.connect(Number(process.argv[2]), "127.0.0.1", async () => {
  const server = lsp.createProtocolConnection(
    new lsp.StreamMessageReader(socket), new lsp.StreamMessageWriter(socket));
  server.listen();
  const uri = "file:///project/hello.py";
  const text = "# Grüße, 世界 👋\nclass Greeter:\n    def greet(self, name):\n" +
    "        return 'Hello, ' + name\n\nGreeter().greet('世界')\nimport os\n";
  await server.sendRequest(lsp.InitializeRequest.type,
    { processId: null, rootUri: null, capabilities: {}, workspaceFolders: null });
  await server.sendNotification(lsp.InitializedNotification.type, {});
  await server.sendNotification(lsp.DidOpenTextDocumentNotification.type,
    { textDocument: { uri, languageId: "python", version: 1, text } });
  const textDocument = { uri };
  // All at once, so that the answers run together.
  await Promise.all([
    server.sendRequest(lsp.DocumentSymbolRequest.type, { textDocument }),
    server.sendRequest(lsp.HoverRequest.type, { textDocument, position: { line: 5, character: 2 } }),
    server.sendRequest(lsp.CompletionRequest.type,
      { textDocument, position: { line: 5, character: 10 } }),
    server.sendRequest(lsp.FoldingRangeRequest.type, { textDocument }),
    server.sendRequest("no/such/method", { wörter: "→" }).catch(() => null),
  ]);
  await server.sendRequest(lsp.ShutdownRequest.type);
  await server.sendNotification(lsp.ExitNotification.type);
  socket.end();
});
JS
# Not `await`: pylsp serves one connection and then ends.
tries=0
until grep -q 46007 "$work/pylsp.err" || [ $tries -ge 100 ]; do sleep 0.1; tries=$((tries + 1)); done
sleep 1
capture --to 46007 --out "$here/lsp" -- node "$work/client.js" '{port}'

# --- Varint-delimited messages: Google's protobuf ---------------------------------------------------

"$python" - "$here/protobuf.bin" <<'PY'
import sys
from google.protobuf.proto import serialize_length_prefixed
from google.protobuf.struct_pb2 import Struct
from google.protobuf.wrappers_pb2 import BytesValue, StringValue
from google.protobuf.timestamp_pb2 import Timestamp

person = Struct()
person.update({"name": "Alice", "age": 42, "tags": ["a", "b", None], "nested": {"deep": True}})
messages = [
    StringValue(value="first"),
    Timestamp(seconds=1735732800),
    Struct(),
    person,
    StringValue(value="x" * 125),
    StringValue(value="y" * 126),
    BytesValue(value=bytes(range(256))),
    BytesValue(value=b"\x80\x01\r\n" * 5000),
    StringValue(),
    StringValue(value="last"),
]
with open(sys.argv[1], "wb") as stream:
    for message in messages:
        serialize_length_prefixed(message, stream)
PY
ls -l "$here"/*.bin
