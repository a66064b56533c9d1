"""Two studies under paths of one host, behind real proxies: one that takes the path off, one that leaves it on."""

from __future__ import annotations

import contextlib
import datetime
import os
import socket
import subprocess
import time

import pytest
from tests.browser.built_folders import build_folder
from tests.browser.processes import find_port, find_program

from beholder.experiments import open_server, open_store, read_experiment
from beholder.responses import read_responses

pytestmark = pytest.mark.browser

NAME = "www.example.edu"
PATHS = {"kept": "/lab/one", "taken_off": "/lab/two"}

NGINX = """
daemon off; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
    proxy_set_header Host $http_host;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    server {{
        listen 127.0.0.1:{port} ssl;
        ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem;
        location /lab/one/ {{ proxy_pass http://127.0.0.1:{kept}; }}
        location /lab/two/ {{ proxy_pass http://127.0.0.1:{taken_off}/; }}
    }}
}}
"""

CADDY = """
{{
    auto_https off
    admin off
    storage file_system {folder}/caddy
}}
https://{name}:{port} {{
    bind 127.0.0.1
    tls {folder}/cert.pem {folder}/key.pem
    redir /lab/one /lab/one/?{{query}}
    redir /lab/two /lab/two/?{{query}}
    handle /lab/one/* {{
        reverse_proxy 127.0.0.1:{kept}
    }}
    handle_path /lab/two/* {{
        reverse_proxy 127.0.0.1:{taken_off}
    }}
}}
"""

COMMANDS = {
    "nginx": (NGINX, lambda file: ["nginx", "-c", str(file)]),
    "caddy": (CADDY, lambda file: ["caddy", "run", "--adapter", "caddyfile", "--config", str(file)]),
}


def write_certificate(folder):
    """A certificate that nobody trusts."""
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, NAME)])
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME)])
    made = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), begin,
                                   begin + datetime.timedelta(days=9)).add_extension(names, critical=False)  # fmt: skip
    text = made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(text)
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@contextlib.contextmanager
def run_proxy(name, folder, port, kept, taken_off):
    """A proxy that runs while the block does."""
    program, (template, command) = find_program(name), COMMANDS[name]
    file = folder / f"{name}.conf"
    file.write_text(template.format(folder=folder, name=NAME, port=port, kept=kept, taken_off=taken_off))
    arguments = [program, *command(file)[1:]]
    with open(folder / "log.txt", "wb") as log:
        process = subprocess.Popen(arguments, stdout=log, stderr=log, env={**os.environ, "HOME": str(folder)})
    try:
        end = time.monotonic() + 20
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            assert process.poll() is None and time.monotonic() < end, (folder / "log.txt").read_text()
            time.sleep(0.05)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.mark.parametrize("proxy", ["nginx", pytest.param("caddy", marks=pytest.mark.slow)])
def test_two_studies_under_paths_of_one_host(proxy, start_chromium, tmp_path):
    """One person takes part in both, in one browser, by links that differ in nothing but the path."""
    find_program(proxy)
    write_certificate(tmp_path)
    port = find_port()
    from tests.browser.participant import Participant

    with contextlib.ExitStack() as stack:
        backends, stores = {}, {}
        for kind, (role, path) in zip(("similarity", "recognition"), PATHS.items(), strict=True):
            changes = {"recruiter": "prolific", "completion_code": f"CODE-{role}"}
            built = build_folder(tmp_path / role / "built", kind, 2, changes)
            experiment = read_experiment(built)
            stores[role] = stack.enter_context(open_store(experiment, tmp_path / role / "answers.sqlite"))
            public = f"https://{NAME}:{port}{path}/"
            server = stack.enter_context(open_server(experiment, stores[role], public=public))
            backends[role] = int(server.url.rpartition(":")[2])
        stack.enter_context(run_proxy(proxy, tmp_path, port, **backends))
        rules = f"--host-resolver-rules=MAP {NAME} 127.0.0.1"
        browser = stack.enter_context(contextlib.closing(start_chromium(rules)))
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 720})
        query = "PROLIFIC_PID=p1&STUDY_ID=s1&SESSION_ID=x1"
        people = {}
        for role, path in PATHS.items():
            people[role] = Participant(context, f"https://{NAME}:{port}{path}?{query}")  # the slash is put there
            people[role].wait_for("consent")  # not where the other study is
            people[role].go_to("instructions")
        for role, person in people.items():
            person.page.bring_to_front()
            assert person.page.url.startswith(f"https://{NAME}:{port}{PATHS[role]}/?{query}#")
            person.page.reload()
            person.wait_for("instructions")
            assert person.take_part() == "done"
            assert person.page.inner_text(".code") == f"CODE-{role}"
            assert person.complaints == [] and person.foreign == []
        for store in stores.values():
            table = read_responses(store.path)
            assert table.participants["finished"].tolist() == [True] and len(table.trials) == 2
