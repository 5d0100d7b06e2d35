#!/usr/bin/env python3
"""issuer.py serve URL KEY CERTIFICATE CERTIFICATE_KEY | token URL KEY NAME=JSON...: an OpenID Connect identity provider.

The first answers at URL's port with what kube-apiserver asks a provider for: the discovery document and the public half of KEY
(RSA). The second prints a token (JWT, RS256) of that issuer, signed by KEY, with these claims besides iss, iat and exp.
"""
import base64, http.server, json, ssl, subprocess, sys, time, urllib.parse


def text(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def openssl(*arguments, **more):
    return subprocess.run(["openssl", *arguments], check=True, capture_output=True, **more).stdout


def serve(url, key, certificate, certificate_key):
    modulus = openssl("rsa", "-in", key, "-noout", "-modulus").decode().strip().split("=")[1]
    keys = [{"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "rig", "n": text(bytes.fromhex(modulus)), "e": "AQAB"}]
    documents = {
        "/.well-known/openid-configuration": {
            "issuer": url, "jwks_uri": f"{url}/keys", "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"], "id_token_signing_alg_values_supported": ["RS256"]},
        "/keys": {"keys": keys},
    }

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps(documents.get(self.path, {})).encode()
            self.send_response(200 if self.path in documents else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("0.0.0.0", urllib.parse.urlsplit(url).port), Handler)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, certificate_key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


def token(url, key, *claims):
    body = {"iss": url, "iat": int(time.time()), "exp": int(time.time()) + 600}
    body.update((name, json.loads(value)) for name, _, value in (claim.partition("=") for claim in claims))
    signed = ".".join(text(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "rig"}, body))
    print(f"{signed}.{text(openssl('dgst', '-sha256', '-sign', key, input=signed.encode()))}")


{"serve": serve, "token": token}[sys.argv[1]](*sys.argv[2:])
